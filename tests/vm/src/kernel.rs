//! The newest of Debian's cloud kernels installed here, and its modules.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A kernel that a machine can boot.
#[derive(Clone, Debug)]
pub struct Kernel {
    image: PathBuf,
    folder: PathBuf,
    /// Module name -> its file and the files that it needs, all relative to the folder.
    modules: BTreeMap<String, Vec<String>>,
    /// Names of what is compiled into the kernel.
    built_in: Vec<String>,
}

impl Kernel {
    /// The newest `/boot/vmlinuz-*-cloud-amd64`, or an error that names the package to install.
    pub fn newest() -> Result<Self> {
        let mut images: Vec<PathBuf> = fs::read_dir("/boot")
            .context("/boot")?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| release(path).is_some_and(|release| release.ends_with("-cloud-amd64")))
            .collect();
        images.sort_by_key(|path| numbers(release(path).unwrap_or_default()));
        let Some(image) = images.pop() else {
            bail!("no /boot/vmlinuz-*-cloud-amd64: install linux-image-cloud-amd64");
        };
        let folder = Path::new("/lib/modules").join(release(&image).unwrap_or_default());
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let modules = parse_dependencies(&read("modules.dep")?);
        let built_in = read("modules.builtin")?.lines().map(module_name).collect();
        Ok(Self { image, folder, modules, built_in })
    }

    /// The compressed kernel image.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The files to load for these modules, each after those it needs, none twice.
    pub fn load_order(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        let mut order: Vec<PathBuf> = Vec::new();
        for name in names {
            let name = name.replace('-', "_");
            if self.built_in.contains(&name) {
                continue;
            }
            let Some(files) = self.modules.get(&name) else {
                bail!("{} has no module {name}", self.folder.display());
            };
            // modules.dep lists the module first and what must be loaded first last.
            for file in files.iter().rev().map(|file| self.folder.join(file)) {
                if !order.contains(&file) {
                    order.push(file);
                }
            }
        }
        Ok(order)
    }
}

/// The part of `vmlinuz-RELEASE` after the dash.
fn release(image: &Path) -> Option<&str> {
    image.file_name()?.to_str()?.strip_prefix("vmlinuz-")
}

/// The numbers in a release, so that 6.1.0-9 sorts before 6.1.0-56.
fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

/// `kernel/fs/fuse/virtiofs.ko.xz` -> `virtiofs`, with `_` for `-` as the kernel does.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split(".ko").next().unwrap_or(name).replace('-', "_")
}

fn parse_dependencies(text: &str) -> BTreeMap<String, Vec<String>> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needed)| {
            let files = std::iter::once(module).chain(needed.split_whitespace());
            (module_name(module), files.map(str::to_owned).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Kernel, module_name, numbers, parse_dependencies};

    #[test]
    fn needed_modules_are_loaded_first_and_once() {
        let kernel = Kernel {
            image: "/boot/vmlinuz".into(),
            folder: "/m".into(),
            modules: parse_dependencies(
                "net/a-b.ko: net/c.ko net/d.ko\nnet/c.ko: net/d.ko\nnet/d.ko:\n",
            ),
            built_in: vec!["ext4".into()],
        };
        let names = ["c", "ext4", "a-b"].map(str::to_owned);
        let order = kernel.load_order(&names).expect("all are known");
        let order: Vec<_> = order.iter().map(|path| path.display().to_string()).collect();
        assert_eq!(order, ["/m/net/d.ko", "/m/net/c.ko", "/m/net/a-b.ko"]);
        assert!(kernel.load_order(&["nothing".to_owned()]).is_err());
    }

    #[test]
    fn releases_sort_by_number() {
        assert!(numbers("6.1.0-9-cloud-amd64") < numbers("6.1.0-56-cloud-amd64"));
        assert!(numbers("6.1.0-56-cloud-amd64") < numbers("6.12.3-1-cloud-amd64"));
    }

    #[test]
    fn module_names_are_those_the_kernel_prints() {
        assert_eq!(module_name("kernel/drivers/net/virtio-net.ko.xz"), "virtio_net");
    }
}
