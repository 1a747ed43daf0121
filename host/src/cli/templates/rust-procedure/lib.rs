//! The procedure `{{name}}`: looks at the pair and restarts its services, the standby first. Make it what you need.

use windlass_sdk::procedure::{Check, Description, Step};
use windlass_sdk::{Fault, Procedure, bound, host, node};

/// The procedure `{{name}}`.
pub struct {{type}};

impl Procedure for {{type}} {
    fn describe() -> Description {
        Description {
            title: "Restart the pair, the standby first".into(),
            impact: "The HA link is interrupted while each of the two restarts.".into(),
            parameters: Vec::new(),
        }
    }

    /// Only looks. Whatever is in the way is said here, before anything is changed.
    fn steps() -> Result<Vec<Step>, Fault> {
        not_well()?.map_or(Ok(()), |why| Err(Fault::new("preflight", why)))?;
        // The standby first: it is called `second` for the whole run.
        Ok(vec![restart("second")?, restart("first")?])
    }

    fn apply(step: &str) -> Result<(), Fault> {
        // Never both at once: the one before must be up again.
        not_well()?.map_or(Ok(()), |why| Err(Fault::new("failed", why)))?;
        let role = step.trim_start_matches("restart@");
        node(&bound(role)?).run("restart-ha").succeed().map(drop)
    }

    fn verify() -> Result<Vec<Check>, Fault> {
        let why = not_well()?;
        let check = Check::new("Every manager is well", why.is_none());
        Ok(vec![check.evidence("health", why.unwrap_or_else(|| "normal".into()))])
    }
}

fn restart(role: &str) -> Result<Step, Fault> {
    Ok(Step::new(format!("restart@{role}"), format!("Restart the services of the {role}"))
        .on(bound(role)?)
        .impact("the HA link is interrupted")
        .guards(&["reachable"]))
}

fn not_well() -> Result<Option<String>, Fault> {
    let records = host::cluster::health()?;
    let unwell = records.into_iter().find(|record| record.state != "normal");
    Ok(unwell.map(|r| format!("{} says of {} that it is {}", r.reporter, r.node, r.state)))
}

windlass_sdk::export_procedure!({{type}});
