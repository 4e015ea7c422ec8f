//! One program, several roles: its first argument says which, where it is not the runner's.

use crate::failure::{Context, Outcome};
use crate::{node, process};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Plays the role that the first argument asks for, the program's name left out; none where it is the
/// runner's.
pub fn play(args: &[String]) -> Option<Outcome> {
    match args.first()?.as_str() {
        process::GUARD => Some(process::guard(std::io::stdin().lock()).during("the guard")),
        node::CHAIN_PLUGIN => Some(node::chain_plugin()),
        _ => None,
    }
}

/// Writes a script named after a role that plays it. A link would not do: lightningd resolves links before it
/// runs a plugin.
///
/// # Errors
/// When the folder can't be written.
pub(crate) fn script(program: &Path, role: &str, folder: &Path) -> Outcome<PathBuf> {
    let path = folder.join(role);
    let program = program.display().to_string().replace('\'', r"'\''");
    let text = format!("#!/bin/sh\nexec '{program}' {role} \"$@\"\n");
    fs::write(&path, text).during(path.display())?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&path, executable).during(path.display())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn script_passes_role_and_arguments_on() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("it's a place");
        fs::create_dir(&odd).unwrap();
        let program = odd.join("program");
        std::os::unix::fs::symlink("/bin/echo", &program).unwrap();
        let script = script(&program, "some-role", folder.path()).unwrap();
        let output = Command::new(script).arg("two words").output().unwrap();
        assert_eq!(output.stdout, b"some-role two words\n");
    }

    #[test]
    fn what_is_no_role_is_left_to_the_runner() {
        assert!(play(&[]).is_none());
        assert!(play(&["--list".into()]).is_none());
    }
}
