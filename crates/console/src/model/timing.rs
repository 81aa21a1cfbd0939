//! [`TimingPane`]: the state of the timing panel.

/// The state of the timing panel. The figures are those of the run and the history.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TimingPane {
    /// Lines scrolled down.
    pub scroll: u16,
}
