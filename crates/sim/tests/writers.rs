//! Several writers of one stack, in virtual time: two runs with one store, and a writer that is paused for longer than
//! its lease.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use holdfast_core::observed::Observed;
use holdfast_core::plan::PlanPolicy;
use holdfast_core::schema::Registry;
use holdfast_engine::budget::Counts;
use holdfast_engine::cloud::{Cloud, Failure, Operation, OperationResult, Scope};
use holdfast_engine::engine::Engine;
use holdfast_engine::event::{Event, EventSink, NoopSink};
use holdfast_engine::expiring_lease::{self, LeaseEntry, LeaseRegister, LeaseTimes};
use holdfast_engine::lease::{LeaseAttempt, LeaseGate, LeaseHolder, LeaseInfo, LeaseRecord};
use holdfast_engine::pass::{self, PassError, PassReport};
use holdfast_engine::store::{History, HistoryChanges, InMemoryStore, Store};
use holdfast_engine::timing::Timing;
use holdfast_engine::writer::Writer;
use holdfast_sim::{Sim, World};
use tokio::time::{Instant, sleep, sleep_until};

const DOCUMENT: &str = r#"
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Subnet/a: { vpc: main, cidrBlock: 10.0.1.0/24 }
  Gateway/out: { subnet: a }
  SecurityGroup/web: { vpc: main, description: web }
  SecurityGroup/db: { vpc: main, ingress: [{ port: 5432, group: web }] }
  Role/task: {}
  Table/orders: { key: id, groups: [db] }
"#;

/// The time-out of a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(35);

const TIMES: LeaseTimes = LeaseTimes { lease: Duration::from_secs(65), renewal: Duration::from_secs(10) };

/// A cloud that records who sends which mutating call, and when. A call that was sent has its effect, also when its
/// sender is paused.
struct RecordingCloud {
    sim: Sim,
    sender: &'static str,
    calls: Arc<Mutex<Vec<(&'static str, Instant)>>>,
}

#[async_trait]
impl Cloud for RecordingCloud {
    fn registry(&self) -> Registry {
        self.sim.registry()
    }

    async fn account(&self) -> Result<String, Failure> {
        self.sim.account().await
    }

    async fn observe(&self, kind: &str, scope: &Scope) -> Result<Vec<Observed>, Failure> {
        self.sim.observe(kind, scope).await
    }

    async fn apply(&self, operation: &Operation) -> Result<OperationResult, Failure> {
        self.calls.lock().unwrap().push((self.sender, Instant::now()));
        let (sim, operation) = (self.sim.clone(), operation.clone());
        tokio::spawn(async move { sim.apply(&operation).await }).await.unwrap()
    }

    fn calls(&self) -> Counts {
        self.sim.calls()
    }
}

/// The record and version of a lease, and when it was written.
type Entry = Arc<Mutex<Option<(LeaseRecord, u64, Instant)>>>;

/// A register that does not respond to its client during a pause.
#[derive(Clone)]
struct Register {
    entry: Entry,
    pause: Option<(Instant, Instant)>,
}

impl Register {
    async fn respond(&self) {
        if let Some((from, until)) = self.pause
            && (from..until).contains(&Instant::now())
        {
            sleep_until(until).await;
        }
    }
}

#[async_trait]
impl LeaseRegister for Register {
    async fn read(&self) -> io::Result<Option<LeaseEntry>> {
        self.respond().await;
        let entry = self.entry.lock().unwrap().clone();
        Ok(entry.map(|(record, version, at)| LeaseEntry { record, version: version.to_string(), age: at.elapsed() }))
    }

    async fn write(&self, record: &LeaseRecord, expected: Option<&str>) -> io::Result<Option<String>> {
        self.respond().await;
        let mut entry = self.entry.lock().unwrap();
        let version = entry.as_ref().map_or(0, |(_, version, _)| *version);
        if entry.as_ref().map(|_| version.to_string()).as_deref() != expected {
            return Ok(None);
        }
        *entry = Some((record.clone(), version + 1, Instant::now()));
        Ok(Some((version + 1).to_string()))
    }
}

/// A store whose lease expires.
struct ExpiringStore {
    history: Arc<InMemoryStore>,
    register: Register,
    sim: Sim,
}

#[async_trait]
impl Store for ExpiringStore {
    async fn load(&self) -> io::Result<History> {
        self.history.load().await
    }

    async fn append(&self, changes: &HistoryChanges) -> io::Result<()> {
        self.history.append(changes).await
    }

    async fn save(&self, history: &History) -> io::Result<()> {
        self.history.save(history).await
    }

    async fn try_acquire(&self, holder: &LeaseHolder) -> io::Result<LeaseAttempt> {
        expiring_lease::try_acquire(Arc::new(self.register.clone()), holder, TIMES, self.sim.clock()).await
    }

    async fn unlock(&self) -> io::Result<Option<LeaseInfo>> {
        expiring_lease::unlock(&self.register, &self.sim.clock()).await
    }
}

/// An event sink that counts how often a run says that it waits for the lease.
#[derive(Default)]
struct Waits(Mutex<usize>);

impl EventSink for Waits {
    fn on(&self, event: &Event<'_>) {
        if let Event::WaitingForLease { .. } = event {
            *self.0.lock().unwrap() += 1;
        }
    }
}

fn writer(sender: &str, lock_timeout: Duration) -> Writer {
    let holder = LeaseHolder { host: sender.into(), ..LeaseHolder::default() };
    Writer::new(LeaseGate::closed(CALL_TIMEOUT), holder, lock_timeout, "holdfast unlock shop/test".into())
}

async fn run(world: &World, engine: &Engine) -> Result<PassReport, PassError> {
    let options = world.options(PlanPolicy::default(), false, Duration::from_secs(3600));
    pass::run(engine, world.document.as_ref().expect("a document"), &options).await
}

/// Checks that the account has each resource of the document once.
fn check_one_of_each(world: &World) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for resource in world.sim.resources() {
        let address = resource.owner().expect("an owner").address;
        *counts.entry(address).or_default() += 1;
    }
    let expected = world.document.as_ref().expect("a document").resources.keys().map(|a| (a.to_string(), 1));
    assert_eq!(counts, expected.collect(), "{}", world.sim.log().join("\n"));
}

fn world() -> World {
    let mut world = World::new(Sim::of_lagging_kinds());
    world.declare(DOCUMENT).expect("a document");
    world
}

fn engine(
    world: &World,
    store: Arc<dyn Store>,
    sender: &str,
    lock_timeout: Duration,
    sink: Arc<dyn EventSink>,
) -> Engine {
    let engine = Engine::new(Arc::new(world.sim.clone()), store, sink, Timing::default(), sender.len() as u64);
    engine.with_clock(world.sim.clock()).with_writer(writer(sender, lock_timeout))
}

#[tokio::test(start_paused = true)]
async fn of_two_runs_at_the_same_time_one_is_refused_and_names_the_other() {
    let (world, store) = (world(), Arc::new(InMemoryStore::default()));
    let first = engine(&world, store.clone(), "first", Duration::ZERO, Arc::new(NoopSink));
    let second = engine(&world, store, "the second", Duration::ZERO, Arc::new(NoopSink));
    let (one, two) = tokio::join!(run(&world, &first), run(&world, &second));
    assert!(one.unwrap().converged);
    let error = two.unwrap_err().to_string();
    let expected = "another run is writing to shop/test: the lease is held by `holdfast ` (process 0 on first";
    assert!(error.starts_with(expected) && error.contains("holdfast unlock shop/test"), "{error}");
    check_one_of_each(&world);
    assert!(run(&world, &second).await.unwrap().results.is_empty(), "the next run has nothing to do");
}

#[tokio::test(start_paused = true)]
async fn a_run_with_a_lock_timeout_waits_for_the_other_and_says_so_once() {
    let (world, store, waits) = (world(), Arc::new(InMemoryStore::default()), Arc::new(Waits::default()));
    let first = engine(&world, store.clone(), "first", Duration::ZERO, Arc::new(NoopSink));
    let second = engine(&world, store.clone(), "the second", Duration::from_secs(3600), waits.clone());
    let (one, two) = tokio::join!(run(&world, &first), run(&world, &second));
    assert!(one.unwrap().converged);
    assert_eq!(two.unwrap().results.len(), 0);
    assert_eq!(*waits.0.lock().unwrap(), 1);
    check_one_of_each(&world);
    // A run that waits without success ends after its lock timeout.
    let LeaseAttempt::Acquired(_lease) = store.try_acquire(&LeaseHolder::default()).await.unwrap() else {
        panic!("the lease is free")
    };
    let began = Instant::now();
    let impatient = engine(&world, store, "impatient", Duration::from_secs(60), waits);
    assert!(matches!(run(&world, &impatient).await, Err(PassError::Locked { .. })));
    assert_eq!(began.elapsed().as_secs(), 60);
}

/// The first writer is paused at many different moments, for two lease times. Meanwhile the second one takes over.
#[tokio::test(start_paused = true)]
async fn a_writer_that_is_paused_for_two_lease_times_makes_no_call_when_it_continues() {
    let mut fenced = 0;
    for milliseconds in (5..1000).step_by(45) {
        let world = world();
        let calls: Arc<Mutex<Vec<(&'static str, Instant)>>> = Arc::default();
        let (history, entry) = (Arc::new(InMemoryStore::default()), Entry::default());
        let from = Instant::now() + Duration::from_millis(milliseconds);
        let until = from + 2 * TIMES.lease;
        let engine = |sender: &'static str, pause, lock_timeout| {
            let cloud = RecordingCloud { sim: world.sim.clone(), sender, calls: calls.clone() };
            let register = Register { entry: entry.clone(), pause };
            let store = ExpiringStore { history: history.clone(), register, sim: world.sim.clone() };
            Engine::new(Arc::new(cloud), Arc::new(store), Arc::new(NoopSink), Timing::default(), sender.len() as u64)
                .with_clock(world.sim.clock())
                .with_writer(writer(sender, lock_timeout))
        };
        let first = engine("first", Some((from, until)), Duration::ZERO);
        let second = engine("the second", None, Duration::from_secs(3600));
        let paused = async {
            let mut run = std::pin::pin!(run(&world, &first));
            tokio::select! {
                result = &mut run => return result,
                () = sleep_until(from) => {}
            }
            sleep_until(until).await;
            run.await
        };
        let begun_later = async {
            sleep_until(from + Duration::from_millis(1)).await;
            run(&world, &second).await
        };
        let (one, two) = tokio::join!(paused, begun_later);
        let case = format!("paused after {milliseconds} ms");
        assert!(two.unwrap_or_else(|error| panic!("{case}: {error}")).converged, "{case}");
        let calls = calls.lock().unwrap().clone();
        let last_of_first = calls.iter().filter(|(sender, _)| *sender == "first").map(|(_, at)| *at).max();
        match one {
            Err(PassError::LeaseLost(_)) => {
                fenced += 1;
                assert!(last_of_first.is_none_or(|at| at <= from), "{case}: it made a call after its pause");
            }
            // It had ended before the pause.
            result => drop(result.unwrap_or_else(|error| panic!("{case}: {error}"))),
        }
        sleep(Duration::from_secs(60)).await;
        check_one_of_each(&world);
    }
    assert!(fenced > 5, "{fenced} cases were fenced");
}
