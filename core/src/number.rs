//! Integers with their limits in the type: money in minor units, quantities.

use crate::{
    schema::{Described, Keyword, Type},
    wire::{Json, Misfit},
};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// The largest integer that every JavaScript number can hold exactly: 2^53 − 1.
pub const MAX_SAFE: i64 = 9_007_199_254_740_991;

/// An integer between `MIN` and `MAX`, both included, which counts cents where `MONEY` is true. A value
/// outside cannot be made, so code that holds one has nothing left to check.
///
/// ```
/// use rewound_core::number::{Amount, Cents};
/// assert_eq!(Amount::new(0), None); // an amount is positive
/// let balance = Cents::new(10_000).unwrap(); // 100.00
/// assert_eq!(balance.plus(Amount::new(50).unwrap()), Cents::new(10_050));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Integer<const MONEY: bool, const MIN: i64, const MAX: i64>(i64);

/// Money in minor units (cents), of either sign.
pub type Cents = Integer<true, { -MAX_SAFE }, MAX_SAFE>;
/// Money in minor units (cents), more than nothing.
pub type Amount = Integer<true, 1, MAX_SAFE>;
/// Money in minor units (cents), nothing or more.
pub type Price = Integer<true, 0, MAX_SAFE>;
/// A count of things: one to a million.
pub type Quantity = Integer<false, 1, 1_000_000>;

impl<const MONEY: bool, const MIN: i64, const MAX: i64> Integer<MONEY, MIN, MAX> {
    /// The integer, or `None` where it is outside the limits.
    pub const fn new(value: i64) -> Option<Self> {
        if value < MIN || value > MAX { None } else { Some(Self(value)) }
    }

    /// The plain integer.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or `None` where it leaves this type's limits.
    pub fn plus<const M: bool, const A: i64, const B: i64>(self, other: Integer<M, A, B>) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// The difference, or `None` where it leaves this type's limits.
    pub fn minus<const M: bool, const A: i64, const B: i64>(self, other: Integer<M, A, B>) -> Option<Self> {
        self.0.checked_sub(other.0).and_then(Self::new)
    }

    /// The product as money, or `None` where it is not a safe integer.
    pub fn times<const M: bool, const A: i64, const B: i64>(self, other: Integer<M, A, B>) -> Option<Cents> {
        self.0.checked_mul(other.0).and_then(Cents::new)
    }
}

impl<const MONEY: bool, const MIN: i64, const MAX: i64> Default for Integer<MONEY, MIN, MAX> {
    /// Zero, or the limit that is nearest to it.
    fn default() -> Self {
        Self(0_i64.clamp(MIN, MAX))
    }
}

impl<const MONEY: bool, const MIN: i64, const MAX: i64> fmt::Debug for Integer<MONEY, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MONEY: bool, const MIN: i64, const MAX: i64> fmt::Display for Integer<MONEY, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MONEY: bool, const MIN: i64, const MAX: i64> Serialize for Integer<MONEY, MIN, MAX> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<const MONEY: bool, const MIN: i64, const MAX: i64> Described for Integer<MONEY, MIN, MAX> {
    const TYPE: &'static Type = {
        let (of, least, most) = (Keyword::Text("integer"), Keyword::Number(MIN), Keyword::Number(MAX));
        if MONEY {
            let unit = Keyword::Text("cents");
            &Type::Plain(&[("type", of), ("minimum", least), ("maximum", most), ("x-unit", unit)])
        } else {
            &Type::Plain(&[("type", of), ("minimum", least), ("maximum", most)])
        }
    };

    fn read(json: Json<'_>) -> Result<Self, Misfit> {
        json.integer_within(MIN, MAX).map(Self)
    }

    #[inline(always)]
    fn read_quickly(json: Json<'_>) -> Option<Self> {
        let integer = json.quick_integer()?;
        if MIN <= integer && integer <= MAX { Some(Self(integer)) } else { None }
    }

    fn to_json(&self) -> Value {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_stop_at_the_safe_integers() {
        let most = Cents::new(MAX_SAFE).unwrap();
        assert_eq!(most.plus(Amount::new(1).unwrap()), None);
        assert_eq!(most.minus(Amount::new(1).unwrap()), Cents::new(MAX_SAFE - 1));
        assert_eq!(Price::new(MAX_SAFE).unwrap().times(Quantity::new(2).unwrap()), None);
        assert_eq!(Cents::new(MAX_SAFE + 1), None);
    }

    #[test]
    fn json_outside_the_limits_is_an_error_that_names_them() {
        let read = |json: &'static str| Quantity::read(Json::new(json)).map_err(|misfit| misfit.to_string());
        assert_eq!(read("1000000"), Ok(Quantity::new(1_000_000).unwrap()));
        assert_eq!(read("0"), Err("0 is outside: expected an integer from 1 to 1000000".into()));
        for json in ["2.5", "-0", "1.0", "1e3", "1e400", "9223372036854775808", "\"1\"", "null"] {
            assert!(Cents::read(Json::new(json)).is_err(), "{json}");
        }
        assert_eq!(Cents::read(Json::new("-7")).unwrap().get(), -7);
    }
}
