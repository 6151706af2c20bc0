//! On whose behalf a statement runs.

/// On whose behalf a session acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// The owner of the machine: the command line and `--init`.
    Owner,
    /// A client on the network, who has no business with this machine's files.
    Network,
}
