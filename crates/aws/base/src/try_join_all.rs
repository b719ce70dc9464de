//! Concurrent calls with short compile times: `futures::future::try_join_all` is compiled again for each of its hundred or
//! so uses, and the code here is compiled once.

use std::future::Future;
use std::pin::Pin;

use crate::error::Result;

type Task<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Awaits all futures concurrently. Returns their values in order.
///
/// # Errors
/// The first error; the other futures are dropped.
pub async fn try_join_all<T, F>(futures: impl IntoIterator<Item = F>) -> Result<Vec<T>>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    let futures: Vec<F> = futures.into_iter().collect();
    let mut values: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    run(values.iter_mut().zip(futures).map(|(value, future)| task(value, future)).collect()).await?;
    Ok(values.into_iter().flatten().collect())
}

fn task<'a, T, F>(value: &'a mut Option<T>, future: F) -> Task<'a>
where
    T: Send,
    F: Future<Output = Result<T>> + Send + 'a,
{
    Box::pin(async move {
        *value = Some(future.await?);
        Ok(())
    })
}

async fn run(tasks: Vec<Task<'_>>) -> Result<()> {
    futures::future::try_join_all(tasks).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn values_keep_their_order_and_the_first_error_is_returned() {
        let late = |n: u32| async move {
            if n == 1 {
                tokio::task::yield_now().await;
            }
            if n < 9 { Ok(n) } else { Err(Error::terminal("test", "nine")) }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let join = |numbers: &[u32]| runtime.block_on(try_join_all(numbers.iter().map(|n| late(*n))));
        assert_eq!(join(&[1, 2, 3]).expect("all went well"), [1, 2, 3]);
        assert_eq!(join(&[1, 9, 2]).expect_err("nine").0.message, "nine");
    }
}
