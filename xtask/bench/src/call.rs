//! One call of a guest: through bindings and gate, answered with a constant, and back.
//!
//! The probe calls `state.get` many times in one exported call; what the same exported call takes without any
//! is taken off.

use crate::commit::Double;
use crate::times::Times;
use crate::{Result, tell};
use camino::Utf8Path;
use std::future::Future;
use std::pin::Pin;
use windlass::model::{Answer, Effect, StepId};
use windlass::plugin::{CallPath, Performed, Plugin, Profile, engine};
use windlass::policy::{Gate, Rules};
use windlass::site::GrantBlock;

const CALLS: u32 = 10_000;
const COUNT: usize = 50;

/// The gate, and behind it a constant.
pub struct Gated {
    pub gate: Gate,
    pub answer: Answer,
}

impl CallPath for Gated {
    fn seed(&self) -> [u8; 32] {
        [0; 32]
    }
    fn perform<'a>(&'a mut self, effect: Effect) -> Pin<Box<dyn Future<Output = Performed> + Send + 'a>> {
        Box::pin(async move {
            Ok(match self.gate.check(effect, &Double) {
                Err(denial) => Err(denial.to_fault()),
                Ok(_permit) => Ok(self.answer.clone()),
            })
        })
    }
}

pub fn measure(components: &Utf8Path) -> Result<()> {
    let engine = engine(Profile::Run)?;
    let file = components.join("probe.wasm");
    let probe = Plugin::compile(&engine, file.as_str(), &std::fs::read(&file)?)?;
    let rules = || {
        Rules::parse(&GrantBlock { general: vec!["state".into()], ..GrantBlock::default() })
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let time = |times: u32| -> Result<f64> {
        let step = StepId::new(format!("state.get@times-{times}"))?;
        let gate = Gate::new(probe.name().clone(), rules()?, rules()?, false);
        let mut path = Gated { gate, answer: Answer::Text(Some("kept".into())) };
        let began = std::time::Instant::now();
        runtime.block_on(probe.procedure_apply(&mut path, &step))?.map_err(|fault| fault.message)?;
        Ok(began.elapsed().as_secs_f64())
    };
    time(CALLS)?;
    let mut each = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let empty = time(0)?;
        each.push((time(CALLS)? - empty) / f64::from(CALLS));
    }
    tell(
        "host call through bindings and gate",
        &Times::new(each),
        Some(5e-6),
        &format!(
            "`state.get` {CALLS} times in one exported call, less the exported call itself; {COUNT} times"
        ),
    );
    Ok(())
}
