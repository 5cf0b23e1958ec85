//! Icons, drawn here: a picture beside words, never in their place without a label.

use leptos::prelude::*;

/// An icon of 16 by 16 from one path, in the colour of its text.
#[component]
pub fn Icon(
    /// One of those below.
    path: &'static str,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d=path />
        </svg>
    }
}

/// To the start.
pub const FIRST: &str = "M3 3h2v10H3zM13 3v10L6 8z";
/// A step back.
pub const BACK: &str = "M11.5 3v10L4 8z";
/// Play.
pub const PLAY: &str = "M4.5 2.5v11L13 8z";
/// Pause.
pub const PAUSE: &str = "M4 3h3v10H4zM9 3h3v10H9z";
/// A step on.
pub const NEXT: &str = "M4.5 3v10L12 8z";
/// To the end.
pub const LAST: &str = "M11 3h2v10h-2zM3 3v10l7-5z";
/// A cross.
pub const CLOSE: &str = "M4.3 3 8 6.7 11.7 3 13 4.3 9.3 8l3.7 3.7-1.3 1.3L8 9.3 4.3 13 3 11.7 6.7 8 3 4.3z";
/// An arrow into a tray.
pub const IMPORT: &str = "M7 1.5h2v6.2l2.1-2.1 1.4 1.4L8 11.5 3.5 7l1.4-1.4L7 7.7zM2 12.5h12v2H2z";
/// A paper plane.
pub const SEND: &str = "M1.5 2.2 15 8 1.5 13.8 3.4 9 9 8 3.4 7z";
/// Three dots.
pub const MORE: &str = "M8 2.2a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3zm0 4.3a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3zm0 4.3a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z";
/// A triangle that points down.
pub const OPEN: &str = "M4 6h8l-4 5z";
/// An arrow out of a tray.
pub const SHARE: &str = "M8 1.5 12.5 6l-1.4 1.4L9 5.3V11H7V5.3L4.9 7.4 3.5 6zM2 12.5h12v2H2z";
/// A magnifying glass.
pub const SEARCH: &str = "M6.8 1.8a5 5 0 1 0 3 9l3.3 3.3 1.3-1.3-3.3-3.3a5 5 0 0 0-4.3-7.7zm0 1.9a3.1 3.1 0 1 1 0 6.2 3.1 3.1 0 0 1 0-6.2z";
