//! The session keyring: keys of the caller's are not for the container.

use anyhow::Result;
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;

/// Who possesses a key may do everything with it, and others nothing.
const POSSESSOR_ALONE: u32 = 0x3f00_0000;

/// What the caller's keyring holds is not for the container.
pub(crate) fn it_is_new_unless_forbidden() -> Result<()> {
    let name = format!("of-the-caller-{}", std::process::id());
    let key = ::sys::keyring::join_session_keyring(&std::ffi::CString::new(name.clone())?)?;
    ::sys::keyring::set_key_permissions(key, POSSESSOR_ALONE)?;
    let script = format!("grep -c {name} /proc/keys");
    let sees = |flags: &[&str]| -> Result<String> {
        let bundle = Bundle::script(&script)?.set("/linux/maskedPaths", json!([]));
        Ok(Container::new(bundle)?.launch_new("run", flags).finish()?.stdout)
    };
    expect_eq!(sees(&["--no-new-keyring"])?, "1\n");
    expect_eq!(sees(&[])?, "0\n");
    Ok(())
}

/// A process that was added was in the keyring of who called `exec`, and had all keys in it.
pub(crate) fn that_of_exec_is_the_containers() -> Result<()> {
    let name = format!("of-the-caller-{}", std::process::id());
    let key = ::sys::keyring::join_session_keyring(&std::ffi::CString::new(name.clone())?)?;
    ::sys::keyring::set_key_permissions(key, POSSESSOR_ALONE)?;
    let keyrings = |user_namespace: bool, flags: &[&str]| -> Result<String> {
        let bundle = Bundle::service()?.set("/linux/maskedPaths", json!([]));
        let bundle = if user_namespace { bundle.user_namespace(270_000)? } else { bundle };
        let container = Container::new(bundle)?;
        container.launch_new("create", flags).finish()?.expect_code(0)?;
        let script = format!("grep -oE '{name}|_ses.{}' /proc/keys | sort", container.id);
        let said = container.exec(&script)?.stdout;
        Ok(said.replace(&container.id, "ID"))
    };
    for user_namespace in [false, true] {
        expect_eq!(keyrings(user_namespace, &[])?, "_ses.ID\n", "user: {user_namespace}");
    }
    // In a user namespace the keys of others are not shown.
    expect_eq!(keyrings(false, &["--no-new-keyring"])?, format!("{name}\n"));
    Ok(())
}

/// Whoever had made a keyring with the name that the container's was going to have, and let others
/// search it, found the container in it: its keys were his, and his were its.
pub(crate) fn that_of_somebody_else_is_not_the_containers() -> Result<()> {
    const EVERYBODY: u32 = 0x3f3f_3f3f;
    let script = "grep -oE 'keyring +_ses.*: [0-9e]' /proc/keys; true";
    let bundle = Bundle::script(script)?.set("/linux/maskedPaths", json!([]));
    let container = Container::new(bundle)?;
    let name = format!("_ses.{}", container.id);
    let key = ::sys::keyring::join_session_keyring(&std::ffi::CString::new(name.clone())?)?;
    ::sys::keyring::set_key_permissions(key, EVERYBODY)?;
    // It is held by this process alone, which is not where the container comes from.
    let said = container.launch_new("run", &[]).before_exec(leave_keyring).finish()?.stdout;
    let possessed = said.lines().filter(|line| line.contains(&name)).count();
    // The one of this process, which everybody may see, and another one.
    expect_eq!(possessed, 2, "{said}");
    Ok(())
}

/// Another session keyring than that of this process.
fn leave_keyring() -> std::io::Result<()> {
    ::sys::keyring::join_session_keyring(c"of-the-runtime").map(drop).map_err(Into::into)
}
