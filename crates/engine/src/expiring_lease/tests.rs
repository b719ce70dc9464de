//! Tests of leases that expire, in virtual time.

use std::time::UNIX_EPOCH;

use super::*;

const TIMES: LeaseTimes = LeaseTimes { lease: Duration::from_secs(65), renewal: Duration::from_secs(10) };

/// A register in memory.
#[derive(Default)]
struct TestRegister(Mutex<TestEntry>);

#[derive(Default)]
struct TestEntry {
    entry: Option<(LeaseRecord, u64, Instant)>,
    writes: u64,
    /// True while every call fails.
    is_down: bool,
    /// True when the next write has its effect and fails nevertheless.
    loses_response: bool,
}

impl TestRegister {
    fn lock(&self) -> MutexGuard<'_, TestEntry> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl LeaseRegister for TestRegister {
    async fn read(&self) -> io::Result<Option<LeaseEntry>> {
        let state = self.lock();
        if state.is_down {
            return Err(io::Error::other("down"));
        }
        Ok(state.entry.as_ref().map(|(record, version, at)| LeaseEntry {
            record: record.clone(),
            version: version.to_string(),
            age: at.elapsed(),
        }))
    }

    async fn write(&self, record: &LeaseRecord, expected: Option<&str>) -> io::Result<Option<String>> {
        let mut state = self.lock();
        if state.is_down {
            return Err(io::Error::other("down"));
        }
        if state.entry.as_ref().map(|(_, version, _)| version.to_string()).as_deref() != expected {
            return Ok(None);
        }
        state.writes += 1;
        let version = state.writes;
        state.entry = Some((record.clone(), version, Instant::now()));
        match std::mem::take(&mut state.loses_response) {
            true => Err(io::Error::other("no response")),
            false => Ok(Some(version.to_string())),
        }
    }
}

fn clock() -> WallClock {
    let start = Instant::now();
    Arc::new(move || UNIX_EPOCH + Duration::from_secs(1_800_000_000) + start.elapsed())
}

async fn acquire(register: &Arc<TestRegister>, id: &str, now: &WallClock) -> Result<Arc<dyn Lease>, Box<LeaseInfo>> {
    let holder = LeaseHolder { id: id.into(), ..LeaseHolder::default() };
    match try_acquire(register.clone(), &holder, TIMES, now.clone()).await.unwrap() {
        LeaseAttempt::Acquired(lease) => Ok(lease),
        LeaseAttempt::Taken(info) => Err(Box::new(info)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_until_it_is_released() {
    let (register, now) = (Arc::<TestRegister>::default(), clock());
    let first = acquire(&register, "a", &now).await.ok().unwrap();
    sleep(Duration::from_secs(600)).await;
    assert!(first.permit(Duration::from_secs(35)).await.is_ok());
    let taken = acquire(&register, "b", &now).await.err().unwrap();
    assert_eq!(taken.holder.unwrap().id, "a");
    let left = taken.until.unwrap() - utc::seconds(now());
    assert!((55..=67).contains(&left), "{left}");
    first.release().await.unwrap();
    let second = acquire(&register, "b", &now).await.ok().unwrap();
    assert_eq!((first.fence(), second.fence()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_dead_process_ends_after_its_time_and_not_before() {
    let (register, now) = (Arc::<TestRegister>::default(), clock());
    let first = acquire(&register, "a", &now).await.ok().unwrap();
    sleep(Duration::from_secs(25)).await;
    drop(first);
    // The last renewal was after 20 s.
    sleep(Duration::from_secs(60)).await;
    assert!(acquire(&register, "b", &now).await.is_err());
    sleep(Duration::from_secs(3)).await;
    assert_eq!(acquire(&register, "b", &now).await.ok().unwrap().fence(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_stops_before_another_run_takes_over() {
    let (register, now) = (Arc::<TestRegister>::default(), clock());
    let began = Instant::now();
    let first = acquire(&register, "a", &now).await.ok().unwrap();
    register.lock().is_down = true;
    let margin = Duration::from_secs(35);
    sleep(Duration::from_secs(29)).await;
    assert!(first.permit(margin).await.is_ok());
    sleep(Duration::from_secs(2)).await;
    // The rest of the lease is shorter than a call, so the call waits for a renewal that never comes.
    let lost = first.permit(margin).await.unwrap_err().to_string();
    assert!(lost.contains("was not renewed for 65 s"), "{lost}");
    assert_eq!(began.elapsed().as_secs(), 65);
    register.lock().is_down = false;
    assert!(acquire(&register, "b", &now).await.is_err(), "the other run waits longer than the holder");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(acquire(&register, "b", &now).await.ok().unwrap().fence(), 2);
    assert!(first.permit(Duration::ZERO).await.is_err(), "a lost lease remains lost");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_renewal_that_comes_late() {
    let (register, now) = (Arc::<TestRegister>::default(), clock());
    let first = acquire(&register, "a", &now).await.ok().unwrap();
    register.lock().is_down = true;
    sleep(Duration::from_secs(40)).await;
    let repair = async {
        sleep(Duration::from_secs(5)).await;
        register.lock().is_down = false;
    };
    let (permit, ()) = tokio::join!(first.permit(Duration::from_secs(35)), repair);
    assert!(permit.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_of_a_renewal_or_an_acquisition_loses_nothing() {
    let (register, now) = (Arc::<TestRegister>::default(), clock());
    register.lock().loses_response = true;
    let first = acquire(&register, "a", &now).await.ok().unwrap();
    register.lock().loses_response = true;
    sleep(Duration::from_secs(200)).await;
    assert!(first.permit(Duration::from_secs(35)).await.is_ok());
    first.release().await.unwrap();
    assert!(acquire(&register, "b", &now).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_lease_was_freed_notices_at_its_next_renewal() {
    let (register, now) = (Arc::<TestRegister>::default(), clock());
    let first = acquire(&register, "a", &now).await.ok().unwrap();
    assert_eq!(unlock(&*register, &now).await.unwrap().and_then(|info| info.holder).unwrap().id, "a");
    assert!(unlock(&*register, &now).await.unwrap().is_none(), "the lease is free");
    let second = acquire(&register, "b", &now).await.ok().unwrap();
    assert_eq!(second.fence(), 3, "the number is higher than the one that was freed");
    let lost = timeout(Duration::from_secs(11), first.lost()).await.unwrap().to_string();
    assert!(lost.contains("the lease is held by"), "{lost}");
    first.release().await.unwrap();
    assert!(second.permit(Duration::ZERO).await.is_ok());
}

/// The monotonic clock stands still while a host is suspended, and the wall clock does not.
#[tokio::test(start_paused = true)]
async fn a_holder_that_was_suspended_has_lost_its_lease() {
    let register = Arc::<TestRegister>::default();
    let (suspended, clock) = (Arc::new(Mutex::new(Duration::ZERO)), clock());
    let now: WallClock = {
        let suspended = suspended.clone();
        Arc::new(move || clock() + *suspended.lock().unwrap())
    };
    let first = acquire(&register, "a", &now).await.ok().unwrap();
    *suspended.lock().unwrap() = Duration::from_secs(70);
    assert!(first.permit(Duration::ZERO).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_that_is_refused_is_an_error_and_not_a_taken_lease() {
    let (register, now) = (Arc::<TestRegister>::default(), clock());
    acquire(&register, "a", &now).await.ok().unwrap().release().await.unwrap();
    register.lock().is_down = true;
    let holder = LeaseHolder::default();
    assert!(try_acquire(register.clone(), &holder, TIMES, now).await.is_err());
}
