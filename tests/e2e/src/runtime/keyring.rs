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
