//! [`TimingPane`]: what took how long.

/// What took how long: the panel's own state; the figures are the run's and the history's.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TimingPane {
    /// Lines scrolled down.
    pub scroll: u16,
}
