//! Enumerations: a text that must be one of a few.

use super::scalar::{Scalar, scalar};
use serde::Deserializer;
use serde::de::Error;

/// Defines an enumeration of fieldless variants, each with its name in JSON.
macro_rules! names {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $name {
            /// All that there are, in the order of `NAMES`.
            pub const ALL: &[$name] = &[$( $name::$variant, )+];
            /// All names, as JSON spells them.
            pub const NAMES: &[&str] = &[$( $text, )+];

            /// The name, as JSON spells it.
            pub fn name(self) -> &'static str {
                $name::NAMES[self as usize]
            }

            /// The one of this name.
            pub fn from_name(name: &str) -> Option<$name> {
                let index = $name::NAMES.iter().position(|known| *known == name)?;
                Some($name::ALL[index])
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> $crate::json::Value<'de> for $name {
            fn read<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let index = $crate::json::macros::read_name(deserializer, $name::NAMES)?;
                index.map(|index| $name::ALL[index]).ok_or_else($crate::json::macros::missing)
            }

            fn read_optional<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<$name>, D::Error> {
                let index = $crate::json::macros::read_name(deserializer, $name::NAMES)?;
                Ok(index.map(|index| $name::ALL[index]))
            }
        }
    };
}

pub(crate) use names;

/// Reads one of these names: its index, or nothing for `null` and for the empty text, by which Go
/// says that there is no value.
pub(crate) fn read_name<'de, D: Deserializer<'de>>(
    deserializer: D,
    names: &[&str],
) -> Result<Option<usize>, D::Error> {
    let found = scalar(deserializer, "a text")?;
    let index = match &found {
        Scalar::Null => return Ok(None),
        Scalar::Text(text) if text.is_empty() => return Ok(None),
        Scalar::Text(text) => names.iter().position(|name| name == text),
        _ => None,
    };
    let unknown = || D::Error::custom(format_args!("{found} is not one of {}", names.join(", ")));
    index.map(Some).ok_or_else(unknown)
}
