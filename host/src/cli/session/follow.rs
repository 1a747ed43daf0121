//! A run that follows a plan: what must be as it was when the plan was made, and what the run may do.

use super::authority::glass_broken;
use super::ending::approval_error;
use super::prepare::entries;
use crate::approval::{self, Difference};
use crate::cli::error::{Error, Exit};
use crate::effect::Expected;
use crate::journal::{Row, StoredRow};
use crate::model::{Covers, Event, Fault, Plan, PlannedStep, PluginName, Roles, code};
use crate::plugin::Plugin;
use crate::site::{ProcedureSettings, Site};
use indexmap::IndexMap;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Error>;

/// Says what was agreed on before the run goes ahead; a fault where it is something else, or where the impact's
/// token that was given is another's.
pub type Agreed =
    Box<dyn Fn(Option<&Roles>, &[PlannedStep], Option<&str>) -> std::result::Result<(), Fault> + Send + Sync>;

/// Refuses where something that the plan covers is not what it was.
pub(super) fn hold(plan: &Plan, site: &Site, settings: &ProcedureSettings, plugin: &Plugin) -> Result<()> {
    let covers =
        approval::covers(site, settings, plugin.name(), plugin.digest(), &plan.covers.parameters, None)
            .map_err(approval_error)?;
    refuse(&plan.procedure, &approval::differences(&plan.covers, &covers))
}

pub(super) fn hold_parameters(plan: &Plan, parameters: &IndexMap<String, String>) -> Result<()> {
    let covers = Covers { parameters: entries(parameters), ..plan.covers.clone() };
    refuse(&plan.procedure, &approval::differences(&plan.covers, &covers))
}

/// The plan's parameters, as the command line would give them.
pub(super) fn given(plan: &Plan) -> Vec<String> {
    plan.covers.parameters.iter().map(|entry| format!("{}={}", entry.name, entry.value)).collect()
}

fn refuse(procedure: &PluginName, differences: &[Difference]) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(
        Exit::Refused,
        format!("the plan is not of this any more: {} since it was made", changed(differences.len())),
    );
    error.causes = differences.iter().map(ToString::to_string).collect();
    Err(error
        .hint("put back what was changed, or, if it is meant:")
        .hint(format!("windlass plan {procedure} -o plan.json makes a new plan, to be approved anew")))
}

fn changed(count: usize) -> String {
    if count == 1 { "one thing has changed".into() } else { format!("{count} things have changed") }
}

/// What a run is held to while it goes on.
#[derive(Default)]
pub(super) struct Follows {
    plan: Option<Box<Plan>>,
    broken: Option<(String, String)>,
}

impl Follows {
    pub fn of(rows: &[Row]) -> Self {
        let mut follows = Self::default();
        for row in rows {
            match row {
                Row::PlanTaken { plan, .. } => follows.plan = Some(plan.clone()),
                Row::GlassBroken { why, by } => {
                    follows.broken = Some((why.clone(), by.clone()));
                    // From here on it is the operator's word that counts.
                    follows.plan = None;
                }
                _ => {}
            }
        }
        follows
    }

    pub fn of_stored(rows: &[StoredRow]) -> Self {
        Self::of(&rows.iter().map(|stored| stored.row.clone()).collect::<Vec<_>>())
    }

    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    pub fn break_glass(&mut self, why: &str) -> Row {
        let row = glass_broken(why);
        if let Row::GlassBroken { why, by } = &row {
            self.broken = Some((why.clone(), by.clone()));
        }
        self.plan = None;
        row
    }

    pub fn expected(&self) -> Option<Arc<Expected>> {
        self.plan.as_ref().map(|plan| Arc::new(Expected::of(plan)))
    }

    /// What is told of a broken glass, at the beginning and at the end.
    pub fn broken(&self) -> Option<Event> {
        self.broken.as_ref().map(|(why, by)| Event::GlassBroken { why: why.clone(), by: by.clone() })
    }

    /// What the steps and the roles must be when the run is about to go ahead.
    pub fn agreed(
        &self,
        site: &Arc<Site>,
        settings: &ProcedureSettings,
        plugin: &Plugin,
        parameters: &IndexMap<String, String>,
        impact: &str,
    ) -> Agreed {
        let plan = self.plan.clone();
        let (site, settings, impact) = (site.clone(), settings.clone(), impact.to_owned());
        let (name, digest) = (plugin.name().clone(), plugin.digest().to_owned());
        let parameters = entries(parameters);
        Box::new(move |roles, steps, ack| {
            if let Some(plan) = &plan {
                as_planned(plan, steps)?;
            }
            let Some(given) = ack else { return Ok(()) };
            let covers = approval::covers(&site, &settings, &name, &digest, &parameters, roles)
                .map_err(|error| Fault::new(code::REFUSED, error.to_string()))?;
            match approval::ack(&name, &covers, &impact, steps) {
                token if token == given => Ok(()),
                _ => Err(Fault::new(
                    code::REFUSED,
                    format!("{given:?} is not the token of this impact: it is of another plan, or something has changed since"),
                )
                .hint(format!("windlass plan {name} shows what would happen now, and its token"))),
            }
        })
    }
}

fn as_planned(plan: &Plan, steps: &[PlannedStep]) -> std::result::Result<(), Fault> {
    let anew = format!("windlass plan {} -o plan.json makes a new plan, to be approved anew", plan.procedure);
    let planned: Vec<&PlannedStep> = plan.steps.iter().map(|planned| &planned.step).collect();
    if planned.len() == steps.len() && planned.iter().zip(steps).all(|(planned, step)| *planned == step) {
        return Ok(());
    }
    let ids =
        |steps: Vec<&PlannedStep>| steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ");
    let (then, now) = (ids(planned), ids(steps.iter().collect()));
    let why = match then == now {
        true => "what a step says of itself is not what it said when the plan was made".to_owned(),
        false => format!("the steps were {then} when the plan was made, and are {now} now"),
    };
    Err(Fault::new(code::REFUSED, why).hint(anew))
}
