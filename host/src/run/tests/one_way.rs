//! A procedure that says, asked to go back, that there is no way.

use super::*;

/// [`Play`], that says on the way back that there is none: before it took anything back, or behind that.
struct OneWay {
    at: &'static str,
}

impl Procedure for OneWay {
    fn steps<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>> {
        Play.steps(path)
    }
    fn apply<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move { Play.apply(step, path).await }.boxed()
    }
    fn undo<'a>(&'a self, step: &'a StepId, mut path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move {
            if step.as_str() == self.at {
                return Err(CallError::Fault(Fault::new(code::NO_WAY_BACK, "the old key is gone")));
            }
            ask(&mut path, Effect::FilesRestore { node: node("a"), name: "key".into() }).await.map(drop)
        }
        .boxed()
    }
    fn verify<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>> {
        Play.verify(path)
    }
}

/// A run of [`OneWay`] whose second command fails, and then the way back.
fn one_way(at: &'static str) -> (tempfile::TempDir, camino::Utf8PathBuf, Arc<Sim>, Ending) {
    let (guard, runs) = folder();
    let sim = Sim::new(&start_world(), None);
    sim.fail_after(1, 1);
    let begun = opened(Arc::new(OneWay { at }), &runs, &sim, true).drive().now_or_never().unwrap();
    assert!(matches!(begun, Ending::Paused { reason: PauseReason::StepFailed, .. }), "{begun:?}");
    let back = opened(Arc::new(OneWay { at }), &runs, &sim, false).roll_back().now_or_never().unwrap();
    (guard, runs, sim, back)
}

#[test]
fn where_there_is_no_way_back_the_run_stands_and_goes_forward() {
    let (_guard, runs, sim, back) = one_way("replace");
    let Ending::Paused { reason: PauseReason::NoWayBack, message, .. } = back else { panic!("{back:?}") };
    assert_eq!(message, "the old key is gone");
    // Asked again, it says so again.
    let again = opened(Arc::new(OneWay { at: "replace" }), &runs, &sim, false).roll_back().now_or_never();
    let again = again.unwrap();
    assert!(matches!(again, Ending::Paused { reason: PauseReason::NoWayBack, .. }), "{again:?}");
    let forward = opened(Arc::new(OneWay { at: "replace" }), &runs, &sim, false).drive().now_or_never();
    let forward = forward.unwrap();
    assert!(matches!(forward, Ending::Done { .. }), "{forward:?}");
    let world = sim.world.lock().unwrap();
    assert_eq!(world.files["key"], b"newer");
    assert_eq!((world.ran["replace@a"], world.ran["restart@a"]), (1, 1));
}

#[test]
fn a_procedure_that_has_taken_something_back_cannot_turn_round() {
    let (_guard, runs, sim, back) = one_way("copy");
    assert!(matches!(back, Ending::Paused { reason: PauseReason::StepFailed, .. }), "{back:?}");
    let on = opened(Arc::new(OneWay { at: "copy" }), &runs, &sim, false).drive().now_or_never().unwrap();
    assert!(matches!(on, Ending::Paused { reason: PauseReason::StepFailed, .. }), "{on:?}");
    assert!(!sim.world.lock().unwrap().ran.contains_key("restart@a"));
}

/// [`Play`], whose last step says, having changed something, that only going back is right.
struct TurnsBack;

impl Procedure for TurnsBack {
    fn steps<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<PlannedStep>, CallError>> {
        Play.steps(path)
    }
    fn apply<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        async move {
            Play.apply(step, path).await?;
            match step.as_str() {
                "replace" => Err(CallError::Fault(Fault::new(code::GO_BACK, "a service will not stop"))),
                _ => Ok(()),
            }
        }
        .boxed()
    }
    fn undo<'a>(&'a self, step: &'a StepId, path: CallPath) -> BoxFuture<'a, Result<(), CallError>> {
        Play.undo(step, path)
    }
    fn verify<'a>(&'a self, path: CallPath) -> BoxFuture<'a, Result<Vec<Check>, CallError>> {
        Play.verify(path)
    }
}

#[test]
fn a_procedure_that_turns_back_is_taken_back_at_once() {
    let (_guard, runs) = folder();
    let sim = Sim::new(&start_world(), None);
    let ended = opened(Arc::new(TurnsBack), &runs, &sim, true).drive().now_or_never().unwrap();
    let Ending::RolledBack { why } = ended else { panic!("{ended:?}") };
    assert!(why.contains("a service will not stop"), "{why}");
    let (before, after) = (start_world(), sim.world.clone());
    assert_eq!(after.lock().unwrap().files, before.lock().unwrap().files);
}
