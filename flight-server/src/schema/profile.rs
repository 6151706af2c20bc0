//! Which types a client reads. A client may say it (the header or session option [`HEADER`],
//! [`OPTION`]); one that says nothing is known by its user agent.

/// The header in which a client names its profile.
pub(crate) const HEADER: &str = "x-sluice-types";
/// The session option that names it.
pub(crate) const OPTION: &str = "types";

/// The types that results may leave in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Profile {
    /// What every driver reads: no views, dictionaries, runs, large lists and narrow decimals.
    #[default]
    Compat,
    /// As [`Profile::Compat`], without what the Arrow JDBC driver gets wrong: it reads unsigned
    /// numbers as signed ones, and cannot give a timestamp with a zone as an object. Unsigned
    /// numbers are widened, and timestamps are in UTC without saying so.
    Jdbc,
    /// Arrow's types as the query gives them, but for runs and views of lists.
    Full,
}

impl Profile {
    /// The names of all profiles, for messages.
    pub(crate) const NAMES: &str = "compat, jdbc, full";

    /// The profile that is called so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "compat" => Some(Self::Compat),
            "jdbc" => Some(Self::Jdbc),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Jdbc => "jdbc",
            Self::Full => "full",
        }
    }

    /// The profile of a client that names none. The JDBC driver says nothing of itself before its
    /// version 19, but that it is written on gRPC for Java.
    pub(crate) fn of_user_agent(agent: &str) -> Self {
        if agent.contains("grpc-java-netty") || agent.starts_with("JDBC Flight SQL Driver") {
            Self::Jdbc
        } else {
            Self::Compat
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_by_their_names() {
        for name in Profile::NAMES.split(", ") {
            assert_eq!(Profile::named(name).unwrap().name(), name);
            assert!(Profile::named(&name.to_uppercase()).is_some());
        }
        assert_eq!(Profile::named("everything"), None);
        assert_eq!(Profile::named(""), None);
    }

    #[test]
    fn the_jdbc_driver_is_known_by_its_user_agent() {
        let rows = [
            ("grpc-java-netty/1.71.0", Profile::Jdbc),
            (
                "JDBC Flight SQL Driver 19.0.0 grpc-java-netty/1.76.0",
                Profile::Jdbc,
            ),
            (
                "ADBC Flight SQL Driver v1.13.0 grpc-go/1.84.0",
                Profile::Compat,
            ),
            (
                "grpc-c++/1.71.0 grpc-c/47.0.0 (linux; chttp2)",
                Profile::Compat,
            ),
            ("", Profile::Compat),
        ];
        for (agent, want) in rows {
            assert_eq!(Profile::of_user_agent(agent), want, "{agent}");
        }
    }
}
