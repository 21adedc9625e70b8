//! Bodies that come whole, never end, or break off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use tokio::time::Interval;

/// The body of an answer.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// A body that comes whole.
pub(super) fn full(text: String) -> Body {
    Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed()
}

/// The same bytes at once and then again and again.
pub(super) fn endless(frame: String, period: Duration) -> Body {
    Endless {
        frame: frame.into(),
        pace: tokio::time::interval(period),
    }
    .boxed()
}

/// A beginning, after which the connection breaks.
pub(super) fn cut_off(beginning: String) -> Body {
    CutOff(Some(beginning.into())).boxed()
}

struct Endless {
    frame: Bytes,
    pace: Interval,
}

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let tick = self.pace.poll_tick(context);
        tick.map(|_| Some(Ok(Frame::data(self.frame.clone()))))
    }
}

struct CutOff(Option<Bytes>);

impl hyper::body::Body for CutOff {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(match self.0.take() {
            Some(beginning) => Ok(Frame::data(beginning)),
            None => Err(io::ErrorKind::ConnectionReset.into()),
        }))
    }
}
