//! The store in a bucket: the history and the lease of a stack in an environment, each in an object.

mod lease;
mod location;
mod object;

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use holdfast_base::client::Aws;
use holdfast_engine::expiring_lease::{self, LeaseTimes, WallClock};
use holdfast_engine::history_format;
use holdfast_engine::lease::{LeaseAttempt, LeaseHolder, LeaseInfo};
use holdfast_engine::store::{History, HistoryChanges, Store};
use tokio::sync::Mutex;

use self::lease::S3LeaseRegister;
pub use self::location::S3Location;
use self::object::{Object, Written};

/// The store of a stack in an environment, in a bucket.
///
/// # Expected flow
/// 1. A run acquires the lease, whose object is written on the condition that it has not changed
///    (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
/// 2. It reads the object with the history.
/// 3. Each change writes the whole object again, on the condition that it has not changed since.
///
/// # Guarantees
/// The history of a run that lost the lease never replaces that of its successor. Every object is encrypted on the
/// server.
///
/// # Caveats
/// A change costs one call and an upload of the whole history: some 100 bytes for each resource.
pub struct S3Store {
    history: Object,
    lease: Arc<S3LeaseRegister>,
    times: LeaseTimes,
    /// The history as it was read or written last. `None` before the first read.
    last: Mutex<Option<LastHistory>>,
}

struct LastHistory {
    history: History,
    /// The entity tag of the object; none when the object does not exist.
    e_tag: Option<String>,
    /// The history of a write without a response: the object may have it.
    unconfirmed: Option<History>,
}

impl LastHistory {
    fn new(history: History, e_tag: Option<String>) -> LastHistory {
        LastHistory { history, e_tag, unconfirmed: None }
    }
}

fn clock() -> WallClock {
    Arc::new(SystemTime::now)
}

impl S3Store {
    /// Creates the store below `name`, with the clients of the bucket's region. Makes no call.
    pub fn new(aws: Arc<Aws>, location: &S3Location, name: &str, times: LeaseTimes) -> S3Store {
        let object = |name: String| Object::new(aws.clone(), location, &name);
        S3Store {
            history: object(format!("{name}.json")),
            lease: Arc::new(S3LeaseRegister(object(format!("{name}.lease.json")))),
            times,
            last: Mutex::default(),
        }
    }

    async fn read(&self) -> io::Result<LastHistory> {
        let Some(content) = self.history.get().await? else {
            return Ok(LastHistory::new(History::default(), None));
        };
        let history = history_format::decode(&content.bytes).map_err(|error| self.history.error(error))?;
        Ok(LastHistory::new(history, Some(content.e_tag)))
    }

    /// Writes the history, unless the object has it already.
    async fn write(&self, last: &mut LastHistory, history: History) -> io::Result<()> {
        if last.e_tag.is_some() && last.history == history {
            return Ok(());
        }
        let bytes = history_format::encode(&history)?;
        let mut written = self.history.put(bytes.clone(), last.e_tag.as_deref()).await;
        if let Ok(Written::Changed) = &written {
            // Either the response of an earlier write was lost, or another run wrote the history.
            let content = self.history.get().await?.ok_or_else(|| self.changed())?;
            let found = history_format::decode(&content.bytes).map_err(|error| self.history.error(error))?;
            if found != last.history && Some(&found) != last.unconfirmed.as_ref() {
                return Err(self.changed());
            }
            written = self.history.put(bytes, Some(&content.e_tag)).await;
        }
        match written {
            Ok(Written::Done(e_tag)) => *last = LastHistory::new(history, Some(e_tag)),
            Ok(Written::Changed) => return Err(self.changed()),
            Err(error) => {
                last.unconfirmed = Some(history);
                return Err(error);
            }
        }
        Ok(())
    }

    fn changed(&self) -> io::Error {
        self.history.error("another run wrote the history at the same time")
    }
}

#[async_trait]
impl Store for S3Store {
    async fn load(&self) -> io::Result<History> {
        let read = self.read().await?;
        let history = read.history.clone();
        *self.last.lock().await = Some(read);
        Ok(history)
    }

    async fn append(&self, changes: &HistoryChanges) -> io::Result<()> {
        let mut last = self.last.lock().await;
        let mut read = match last.take() {
            Some(read) => read,
            None => self.read().await?,
        };
        let mut history = read.history.clone();
        history.apply(changes);
        let result = self.write(&mut read, history).await;
        *last = Some(read);
        result
    }

    async fn save(&self, history: &History) -> io::Result<()> {
        let mut last = self.last.lock().await;
        let mut read = match last.take() {
            Some(read) => read,
            None => self.read().await?,
        };
        let result = self.write(&mut read, history.clone()).await;
        *last = Some(read);
        result
    }

    async fn try_acquire(&self, holder: &LeaseHolder) -> io::Result<LeaseAttempt> {
        expiring_lease::try_acquire(self.lease.clone(), holder, self.times, clock()).await
    }

    async fn unlock(&self) -> io::Result<Option<LeaseInfo>> {
        expiring_lease::unlock(&*self.lease, &clock()).await
    }
}
