//! A bank account: deposits and withdrawals, and transfers that a saga carries from one to another.
//!
//! A transfer leaves the balance when it is initiated and is pending until the saga has completed or
//! reversed it. Each of its steps takes effect once, whatever is repeated, and it arrives or comes back,
//! never both: see [`Aggregate::once`].

use super::prelude::*;
use crate::{
    named::Named,
    number::{Amount, Cents, Price},
    text::{Currency, Label, Note},
};

/// The most that one deposit can be: 1,000,000.00.
pub const DEPOSIT_LIMIT: i64 = 100_000_000;

/// What an account can be asked to do.
#[derive(Debug, Described)]
#[described(rename_all_fields = "camelCase", closed)]
pub enum BankAccountCommand {
    /// Open a new account.
    Open {
        /// Whose account it is.
        account_holder_id: Label,
        /// What its money is counted in.
        currency: Currency,
        /// The money that is there from the start.
        #[described(default)]
        initial_deposit: Price,
    },
    /// Put money in.
    Deposit {
        /// How much.
        amount: Amount,
        /// What the payment refers to, such as an invoice.
        transaction_reference: Label,
        /// What the statement says.
        #[described(default = deposit)]
        description: Note,
    },
    /// Take money out.
    Withdraw {
        /// How much.
        amount: Amount,
        /// What the payment refers to, such as an invoice.
        transaction_reference: Label,
        /// What the statement says.
        #[described(default = withdrawal)]
        description: Note,
    },
    /// Close the account for good.
    Close {
        /// Why.
        reason: Note,
        /// Who closed it; the actor where nobody is named.
        closed_by: Option<Label>,
    },
    /// Send money to another account.
    InitiateTransfer {
        /// The transfer's own id, new for each.
        transfer_id: Label,
        /// The account that the money goes to.
        destination_account_id: Label,
        /// How much.
        amount: Amount,
    },
    /// Take in the money of a transfer (the saga's second step).
    #[described(sender = "saga")]
    ReceiveTransfer {
        /// The transfer's id.
        transfer_id: Label,
        /// The account that the money comes from.
        source_account_id: Label,
        /// How much.
        amount: Amount,
        /// What the money is counted in: the account's own currency.
        currency: Currency,
    },
    /// Settle a transfer that has arrived (the saga's last step).
    #[described(sender = "saga")]
    CompleteTransfer {
        /// The transfer's id.
        transfer_id: Label,
    },
    /// Take a transfer back that could not arrive (the saga's other last step).
    #[described(sender = "saga")]
    ReverseTransfer {
        /// The transfer's id.
        transfer_id: Label,
        /// How much comes back: all of it.
        amount: Amount,
        /// Why it could not arrive.
        reason: Note,
    },
}

fn deposit() -> Note {
    "Deposit".into()
}

fn withdrawal() -> Note {
    "Withdrawal".into()
}

/// What can have happened to an account.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all_fields = "camelCase")]
pub enum BankAccountEvent {
    /// The account was opened.
    #[described(command = "Open")]
    AccountOpened {
        /// Whose account it is.
        account_holder_id: Label,
        /// The money that is there from the start.
        initial_deposit: Price,
        /// What its money is counted in.
        currency: Currency,
    },
    /// Money was put in.
    #[described(command = "Deposit")]
    MoneyDeposited {
        /// How much.
        amount: Amount,
        /// What the payment refers to.
        transaction_reference: Label,
        /// What the statement says.
        description: Note,
    },
    /// Money was taken out.
    #[described(command = "Withdraw")]
    MoneyWithdrawn {
        /// How much.
        amount: Amount,
        /// What the payment refers to.
        transaction_reference: Label,
        /// What the statement says.
        description: Note,
    },
    /// The account was closed.
    #[described(command = "Close")]
    AccountClosed {
        /// Why.
        reason: Note,
        /// Who closed it.
        closed_by: Label,
    },
    /// Money left for another account, and is pending.
    #[described(command = "InitiateTransfer")]
    TransferInitiated {
        /// The transfer's id.
        transfer_id: Label,
        /// The account that the money goes to.
        destination_account_id: Label,
        /// How much.
        amount: Amount,
    },
    /// Money came from another account.
    #[described(command = "ReceiveTransfer")]
    TransferReceived {
        /// The transfer's id.
        transfer_id: Label,
        /// The account that the money came from.
        source_account_id: Label,
        /// How much.
        amount: Amount,
        /// What it is counted in.
        currency: Currency,
    },
    /// A pending transfer arrived.
    #[described(command = "CompleteTransfer")]
    TransferCompleted {
        /// The transfer's id.
        transfer_id: Label,
    },
    /// A pending transfer could not arrive, and its money came back.
    #[described(command = "ReverseTransfer")]
    TransferReversed {
        /// The transfer's id.
        transfer_id: Label,
        /// How much came back.
        amount: Amount,
        /// Why it could not arrive.
        reason: Note,
    },
}

/// An account.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all = "camelCase")]
pub struct Account {
    /// Whose account it is.
    pub account_holder_id: Label,
    /// The money that is there; what is pending has left it.
    pub balance: Cents,
    /// What its money is counted in.
    pub currency: Currency,
    /// Whether it can still be used.
    pub status: AccountStatus,
    /// The transfers that have left and neither arrived nor come back, by their id.
    pub pending_transfers: Named<PendingTransfer>,
}

/// Whether an account can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Described)]
pub enum AccountStatus {
    /// It can.
    Active,
    /// It was closed for good.
    Closed,
}

/// Money on its way to another account.
#[derive(Debug, Clone, PartialEq, Described)]
#[described(rename_all = "camelCase")]
pub struct PendingTransfer {
    /// The account that it goes to.
    pub destination_account_id: Label,
    /// How much it is.
    pub amount: Amount,
}

/// The aggregate `BankAccount`.
#[derive(Debug, Clone)]
pub struct BankAccount;

impl Aggregate for BankAccount {
    const NAME: &'static str = "BankAccount";
    const FINGERPRINT: u64 = fingerprint(&[
        include_bytes!("bank_account.rs"),
        include_bytes!("../named.rs"),
        include_bytes!("../number.rs"),
        include_bytes!("../text.rs"),
    ]);
    type Command = BankAccountCommand;
    type Event = BankAccountEvent;
    type State = Account;

    fn decide(
        account: Option<&Account>,
        command: BankAccountCommand,
        of: Context<'_>,
    ) -> Result<Vec<BankAccountEvent>, Rejection> {
        use BankAccountCommand::*;
        use BankAccountEvent::*;
        let known = match (account, command) {
            (None, Open { account_holder_id, currency, initial_deposit }) => {
                return Ok(vec![AccountOpened { account_holder_id, initial_deposit, currency }]);
            }
            (Some(_), Open { .. }) => return Err(Rejection::already_exists()),
            (None, _) => return Err(Rejection::not_found()),
            (Some(account), command) => (account, command),
        };
        let event = match known {
            (account, CompleteTransfer { transfer_id }) => {
                account.pending(&transfer_id)?;
                TransferCompleted { transfer_id }
            }
            (account, ReverseTransfer { transfer_id, amount, reason }) => {
                let pending = account.pending(&transfer_id)?.amount;
                if pending != amount {
                    let message = format!("The transfer is one of {pending} cents, and comes back whole.");
                    return Err(Rejection::new("amount-mismatch", message));
                }
                account.with(amount)?;
                TransferReversed { transfer_id, amount, reason }
            }
            (Account { status: AccountStatus::Closed, .. }, _) => {
                return Err(Rejection::new(
                    "account-closed",
                    "The account was closed: its money moves no more.",
                ));
            }
            (_, Deposit { amount, .. }) if amount.get() > DEPOSIT_LIMIT => {
                return Err(Rejection::new("deposit-limit", "One deposit is 1,000,000.00 at the most."));
            }
            (account, Deposit { amount, transaction_reference, description }) => {
                account.with(amount)?;
                MoneyDeposited { amount, transaction_reference, description }
            }
            (account, Withdraw { amount, transaction_reference, description }) => {
                account.covers(amount)?;
                MoneyWithdrawn { amount, transaction_reference, description }
            }
            (account, Close { .. }) if account.balance != Cents::default() => {
                let message = format!("The balance is {} cents: it must be 0 to close.", account.balance);
                return Err(Rejection::new("balance-not-zero", message));
            }
            (account, Close { .. }) if !account.pending_transfers.is_empty() => {
                let message = "Transfers are pending: they must be settled to close.";
                return Err(Rejection::new("transfers-pending", message));
            }
            (_, Close { reason, closed_by }) => {
                AccountClosed { reason, closed_by: closed_by.unwrap_or_else(|| of.actor.into()) }
            }
            (_, InitiateTransfer { destination_account_id, .. }) if *destination_account_id == *of.id => {
                return Err(Rejection::new("transfer-to-self", "A transfer goes to another account."));
            }
            (account, InitiateTransfer { transfer_id, .. })
                if account.pending_transfers.get(&transfer_id).is_some() =>
            {
                let message = "A transfer with this id is pending: each has an id of its own.";
                return Err(Rejection::new("transfer-exists", message));
            }
            (account, InitiateTransfer { transfer_id, destination_account_id, amount }) => {
                account.covers(amount)?;
                TransferInitiated { transfer_id, destination_account_id, amount }
            }
            (account, ReceiveTransfer { currency, .. }) if currency != account.currency => {
                let message = format!("The account is in {}, the transfer in {currency}.", account.currency);
                return Err(Rejection::new("currency-mismatch", message));
            }
            (account, ReceiveTransfer { transfer_id, source_account_id, amount, currency }) => {
                account.with(amount)?;
                TransferReceived { transfer_id, source_account_id, amount, currency }
            }
            (_, Open { .. }) => return Err(Rejection::already_exists()),
        };
        Ok(vec![event])
    }

    #[inline]
    fn evolve(
        account: Option<Account>,
        event: &BankAccountEvent,
        _: Context<'_>,
    ) -> Result<Account, Problem> {
        use BankAccountEvent::*;
        let Some(account) = account else {
            return match event {
                AccountOpened { account_holder_id, initial_deposit, currency } => Ok(Account {
                    account_holder_id: account_holder_id.clone(),
                    balance: Cents::default().plus(*initial_deposit).unwrap_or_default(),
                    currency: currency.clone(),
                    status: AccountStatus::Active,
                    pending_transfers: Named::default(),
                }),
                _ => Err(Problem::NotCreated),
            };
        };
        let balance = match event {
            AccountOpened { .. } => return Err(Problem::AlreadyCreated),
            MoneyDeposited { amount, .. }
            | TransferReceived { amount, .. }
            | TransferReversed { amount, .. } => account.balance.plus(*amount),
            MoneyWithdrawn { amount, .. } | TransferInitiated { amount, .. } => {
                account.balance.minus(*amount)
            }
            AccountClosed { .. } | TransferCompleted { .. } => Some(account.balance),
        };
        let Some(balance) = balance else { return Err(Problem::OutOfRange { field: "balance" }) };
        let status = match event {
            AccountClosed { .. } => AccountStatus::Closed,
            _ => account.status,
        };
        let mut pending_transfers = account.pending_transfers;
        match event {
            TransferInitiated { transfer_id, destination_account_id, amount } => {
                let destination_account_id = destination_account_id.clone();
                let transfer = PendingTransfer { destination_account_id, amount: *amount };
                pending_transfers.insert(transfer_id.clone(), transfer);
            }
            TransferCompleted { transfer_id } | TransferReversed { transfer_id, .. } => {
                pending_transfers.remove(transfer_id);
            }
            _ => {}
        }
        Ok(Account { balance, status, pending_transfers, ..account })
    }

    fn once(command: &BankAccountCommand) -> Option<Once> {
        use BankAccountCommand::*;
        let (owner, name) = match command {
            InitiateTransfer { transfer_id, .. } => (None, format!("initiate/{transfer_id}")),
            // One name of the source's for both outcomes: money that arrived never comes back as well.
            ReceiveTransfer { transfer_id, source_account_id, .. } => {
                (Some(source_account_id.to_string()), format!("outcome/{transfer_id}"))
            }
            ReverseTransfer { transfer_id, .. } => (None, format!("outcome/{transfer_id}")),
            CompleteTransfer { transfer_id } => (None, format!("complete/{transfer_id}")),
            Open { .. } | Deposit { .. } | Withdraw { .. } | Close { .. } => return None,
        };
        Some(Once { owner, name })
    }
}

impl Account {
    fn with(&self, amount: Amount) -> Result<Cents, Rejection> {
        let too_much =
            || Rejection::new("balance-out-of-range", "The balance would not be a safe integer of cents.");
        self.balance.plus(amount).ok_or_else(too_much)
    }

    fn covers(&self, amount: Amount) -> Result<(), Rejection> {
        if amount.get() <= self.balance.get() {
            return Ok(());
        }
        let message =
            format!("The balance is {} cents, {amount} were asked for: there is no overdraft.", self.balance);
        Err(Rejection::new("insufficient-funds", message))
    }

    fn pending(&self, transfer_id: &Label) -> Result<&PendingTransfer, Rejection> {
        let none = || Rejection::new("transfer-not-pending", "No transfer with this id is pending.");
        self.pending_transfers.get(transfer_id).ok_or_else(none)
    }
}
