//! What goes wrong with calls, and when.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use super::{Behaviour, RecordedRequest};

/// The kinds of requests about calls, those of Realtime and of GPT-Live alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallRequest {
    /// An offer, which opens a call.
    Offer,
    /// The end of a call.
    HangUp,
    /// A phone call is taken.
    Accept,
    /// A phone call is not taken.
    Reject,
}

/// What happens to a request about a call instead of all going well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// Nothing is done; the answer has this status.
    Status(u16),
    /// The same, with that `Retry-After`.
    RetryAfter(u16, &'static str),
    /// Nothing is done; the answer leads elsewhere.
    Redirect,
    /// Nothing is done, and the connection is closed.
    Cut,
    /// Nothing is done, and the connection stays open.
    Hang,
    /// All is done, but only once [`release`](super::ProviderStandIn::release) is called.
    Held,
    /// All is done, and well answered after so much of the machine's time.
    Late(Duration),
    /// All is done, and the connection is closed without an answer.
    DoneThenCut,
    /// All is done, and the answer has this status.
    DoneThenStatus(u16),
    /// A call is opened, and the answer does not say its id.
    NoLocation,
    /// A call is opened, and the answer is no SDP.
    NotSdp,
    /// A call is opened, and its SDP is longer than anybody's.
    TooLong,
    /// All is done, and the answer's body drips for ever.
    Drip,
}

impl CallFault {
    /// Where nothing is done: how it is answered.
    pub(super) fn instead(self) -> Option<Behaviour> {
        match self {
            Self::Status(status) => Some(Behaviour::Status(status)),
            Self::RetryAfter(status, told) => Some(Behaviour::RetryAfter(status, told)),
            Self::Redirect => Some(Behaviour::Redirect),
            Self::Cut => Some(Behaviour::Cut),
            Self::Hang => Some(Behaviour::Hang),
            _ => None,
        }
    }

    /// Whether it leaves a browser without an answer that Talktime may pass on.
    pub(super) fn loses_the_answer(self) -> bool {
        !matches!(self, Self::Held | Self::Late(_))
    }
}

/// Chooses a fault for a request, or none.
pub(super) type Chooser = dyn FnMut(CallRequest, &RecordedRequest) -> Option<CallFault> + Send;

/// The faults to come.
#[derive(Default)]
pub(super) struct FaultPlan {
    next: HashMap<CallRequest, VecDeque<CallFault>>,
    pub(super) chooser: Option<Box<Chooser>>,
}

impl FaultPlan {
    pub(super) fn add(&mut self, kind: CallRequest, times: usize, fault: CallFault) {
        let next = self.next.entry(kind).or_default();
        next.extend(std::iter::repeat_n(fault, times));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn take(
        &mut self,
        kind: CallRequest,
        request: &RecordedRequest,
    ) -> Option<CallFault> {
        let planned = self.next.get_mut(&kind).and_then(VecDeque::pop_front);
        planned.or_else(|| {
            self.chooser
                .as_mut()
                .and_then(|chooser| chooser(kind, request))
        })
    }
}
