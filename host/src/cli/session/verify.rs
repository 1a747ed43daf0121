//! `windlass runs verify --nodes`: a journal beside what the managers hold of it.

use super::network::enter;
use super::profile::{Going, load_for};
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::journal::Reading;
use crate::journal::mirror::Head;
use crate::model::{NodeName, RunId};
use crate::transport::{Transports, mirror};
use serde::Serialize;

/// What a manager holds of a run's journal, beside what is here.
#[derive(Debug, Clone, Serialize)]
pub struct Beside {
    pub node: NodeName,
    /// The number and the hash of the last row there.
    pub head: Option<String>,
    pub verdict: Verdict,
    /// Why it could not be asked, or what is wrong with what it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its last row is the last one here.
    Same,
    /// All that it holds is as it is here, and here is more: as after a crash.
    Behind,
    /// It holds nothing of the run: nothing was changed, or the run is closed.
    Nothing,
    /// It holds more, or other, rows than are here.
    Differs,
    NotAsked,
}

impl Beside {
    /// Returns the line that says it.
    pub fn line(&self) -> String {
        let node = &self.node;
        let rows = self.head.as_deref().and_then(|head| head.split_once(' ')).map_or("?", |(rows, _)| rows);
        match self.verdict {
            Verdict::Same => format!("{node}: holds the same {rows} rows"),
            Verdict::Behind => format!("{node}: holds {rows} rows, all as here"),
            Verdict::Nothing => format!("{node}: holds nothing of it"),
            Verdict::Differs => {
                format!("{node}: DIFFERS: {}", self.why.as_deref().unwrap_or("it holds other rows"))
            }
            Verdict::NotAsked => format!("{node}: not asked: {}", self.why.as_deref().unwrap_or("?")),
        }
    }
}

/// Asks every manager for the head of its mirror.
pub fn beside(context: &Context, run: &RunId, reading: &Reading) -> Result<Vec<Beside>> {
    let site = load_for(context, &reading.understood(), Going::Back)?;
    let runtime = enter(&site)?;
    runtime.block_on(async {
        let folder = super::runs_dir(context)?.join(run.as_str());
        let transports =
            Transports::new(&site, &folder).map_err(|error| Error::from_error(Exit::Fault, &error))?;
        let user = &site.profile.service_user;
        let asked = site.managers().into_iter().map(|node| {
            let transports = &transports;
            async move {
                match mirror::head(transports, node, user, run).await {
                    Ok(head) => judge(node, head, reading),
                    Err(error) => Beside {
                        node: node.clone(),
                        head: None,
                        verdict: Verdict::NotAsked,
                        why: Some(error.to_string()),
                    },
                }
            }
        });
        let judged = futures::future::join_all(asked).await;
        transports.close().await;
        Ok(judged)
    })
}

fn judge(node: &NodeName, head: Option<String>, reading: &Reading) -> Beside {
    let differs = |why: String| (Verdict::Differs, Some(why));
    let (verdict, why) = match head.as_deref().map(str::parse::<Head>) {
        None => (Verdict::Nothing, None),
        Some(Err(())) => differs("its head is damaged".into()),
        Some(Ok(there)) => {
            let here = reading.rows.iter().find(|row| row.sequence == there.sequence);
            match here {
                None => differs(format!(
                    "it holds {} rows, and here are {}: rows were lost here, or another controller went on",
                    there.sequence,
                    reading.rows.len()
                )),
                Some(here) if here.hash != there.hash => differs(format!(
                    "row {} is not the same here: one of the two was edited, or another controller went on",
                    there.sequence
                )),
                Some(_) if there.sequence == reading.rows.len() as i64 => (Verdict::Same, None),
                Some(_) => (Verdict::Behind, None),
            }
        }
    };
    Beside { node: node.clone(), head, verdict, why }
}
