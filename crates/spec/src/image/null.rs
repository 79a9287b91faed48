//! Empty lists and maps as Go writes them.

use serde::{Deserialize, Deserializer};

/// The default where the document has `null`.
pub(super) fn is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
