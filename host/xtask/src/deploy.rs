//! Whether the deployment examples are what they say: by the schemas of those who read them.

use std::process::Command;

use anyhow::Result;

use crate::provide::wheels;
use crate::steps::{Workspace, step};

/// Both carry the schemas with them, so nothing is asked for over the network once they are here.
const JUDGES: [&str; 2] = ["check-jsonschema==0.39.0", "kubernetes-validate==1.37.0"];

/// The compose file by compose's own schema; the manifests by those of Kubernetes, which know every key. What stands in `cosell.toml` beside them is
/// checked by a test of the configuration.
///
/// # Errors
/// With what does not fit.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let folder = wheels(workspace, "deploy", &JUDGES)?;
    let examples = workspace.root().join("examples/deploy");
    let judge = |module: &str| {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &folder).args(["-m", module]);
        command
    };
    step(
        "compose file",
        judge("check_jsonschema")
            .args(["--builtin-schema", "vendor.compose-spec"])
            .arg(examples.join("compose.yaml")),
    )?;
    step(
        "Kubernetes manifests",
        judge("kubernetes_validate")
            .args(["--quiet", "--strict"])
            .arg(examples.join("kubernetes.yaml")),
    )
}
