//! `linux.intelRdt`.

use super::Invalid;
use crate::id::ContainerId;
use kernel::resctrl::Class;
use spec::runtime::IntelRdt;

/// The class of a container; `id` is its name where none was chosen.
pub(crate) fn class(section: Option<&IntelRdt<'_>>, id: &str) -> Result<Option<Class>, Invalid> {
    let Some(section) = section else { return Ok(None) };
    let named = !section.clos_id.is_empty();
    let name = if named { section.clos_id.to_string() } else { id.to_owned() };
    if !Class::can_be_named(&name) {
        return Err(Invalid::new(
            "linux.intelRdt.closID",
            format!("{name:?} is no name of a folder"),
        ));
    }
    let agreed = [&section.l3_cache_schema, &section.mem_bw_schema];
    let agreed = agreed.into_iter().filter(|it| !it.is_empty()).map(ToString::to_string).collect();
    let schemata = section.schemata.iter().map(ToString::to_string).collect();
    let monitor = section.enable_monitoring.then(|| id.to_owned());
    Ok(Some(Class { name, is_chosen: named, agreed, schemata, monitor }))
}

/// The class of a container that exists, for an update: only these lines are written.
pub(crate) fn schemata_class(
    section: Option<&IntelRdt<'_>>,
    schemata: &[&str],
    id: &ContainerId,
) -> Result<Class, Invalid> {
    let none = IntelRdt::default();
    let class = class(Some(section.unwrap_or(&none)), id.as_str())?.unwrap_or_default();
    let schemata = schemata.iter().map(ToString::to_string).collect();
    Ok(Class { agreed: Vec::new(), schemata, monitor: None, ..class })
}
