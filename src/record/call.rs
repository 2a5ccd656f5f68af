//! Calls: what is written of one before it is sent, one line of the ledger, and what people decided about it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::asset::{AssetKey, CollectionName, MicroUsd};
use crate::digest::{ContentDigest, RecipeDigest, domain_digest};

/// How many paid calls for one recipe may fail until somebody has to decide whether to go on.
pub const FAILED_MAX: usize = 3;

/// What became of one call to a generator; the ledger's status column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// About to be sent.
    Intended,
    /// The service's task is known.
    Submitted,
    /// The bytes were seen, their digest is known.
    Received,
    /// The original is stored.
    Finished,
    /// A clean no: nothing was charged.
    Refused,
    /// The service says that the task failed.
    Failed,
    /// The service judged the prompt or the picture, and made none: asked for the same again, it would say the same.
    Judged,
    /// A whole picture, but not the one asked for.
    Rejected,
    /// Paid, and the bytes can no longer be fetched.
    Lost,
    /// Sent, no answer.
    Unknown,
}

impl CallStatus {
    /// All statuses, in the order in which a call passes through them.
    pub const ALL: [Self; 10] = [
        Self::Intended,
        Self::Submitted,
        Self::Received,
        Self::Finished,
        Self::Refused,
        Self::Failed,
        Self::Judged,
        Self::Rejected,
        Self::Lost,
        Self::Unknown,
    ];

    /// Returns the name that the ledger keeps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Submitted => "submitted",
            Self::Received => "received",
            Self::Finished => "finished",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Judged => "judged",
            Self::Rejected => "rejected",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a ledger's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Tells whether something is still to come of a call.
    pub fn is_open(self) -> bool {
        match self {
            Self::Intended | Self::Submitted | Self::Received => true,
            Self::Finished
            | Self::Refused
            | Self::Failed
            | Self::Judged
            | Self::Rejected
            | Self::Lost
            | Self::Unknown => false,
        }
    }
}

/// What people decided about a call that left a question open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may be paid for once more.
    Retried,
    /// It counts as spent, and stands in nobody's way.
    Forgotten,
    /// The rejected picture is taken as it is.
    Accepted,
}

impl Decision {
    /// All decisions.
    pub const ALL: [Self; 3] = [Self::Retried, Self::Forgotten, Self::Accepted];

    /// Returns the name that the ledger keeps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retried => "retried",
            Self::Forgotten => "forgotten",
            Self::Accepted => "accepted",
        }
    }

    /// Reads a ledger's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.name() == name)
    }
}

/// What a call costs as far as is known before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimate {
    /// Nothing, whatever becomes of it: the generator is a free one.
    Free,
    /// As much, by the configured price.
    Paid(MicroUsd),
}

impl Estimate {
    /// Returns the money, of which a free call costs none.
    pub fn amount(self) -> MicroUsd {
        match self {
            Self::Free => MicroUsd(0),
            Self::Paid(amount) => amount,
        }
    }

    /// Tells whether the call is free, which one at a price of nothing is not.
    pub fn is_free(self) -> bool {
        self == Self::Free
    }
}

/// The account of a service that pays for calls, and whose pace they share: an HMAC, so that a state tells nobody its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account([u8; 32]);

impl Account {
    /// Returns the account of that key at that address, as the store of that id knows it.
    pub fn of(store: &str, kind: &str, address: &str, key: &str) -> Self {
        let mut hmac = Hmac::<Sha256>::new_from_slice(store.as_bytes()).expect("a key of any length is taken");
        for part in [kind, address, key] {
            // Lengths keep parts apart, so that no two accounts read alike.
            hmac.update(&(part.len() as u64).to_be_bytes());
            hmac.update(part.as_bytes());
        }
        Self(hmac.finalize().into_bytes().into())
    }

    /// Takes 32 bytes that were an account before, as a database keeps them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes, as a database keeps them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The domain of the ids that services are sent.
const SERVICE_ID_DOMAIN: &str = "pixform:service-id:v1";

/// One request of a call: only a free call has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallAttempt {
    /// The ledger line.
    pub call: String,
    /// The request's number, counted from 1.
    pub number: u32,
}

impl CallAttempt {
    /// Returns the id that the service is sent: a UUID of version 4's form, always the same for the same request.
    pub fn service_id(&self) -> String {
        let Self { call, number } = self;
        let digest = domain_digest(SERVICE_ID_DOMAIN, format!("{call}\n{number}").as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        uuid::Builder::from_random_bytes(id).into_uuid().to_string()
    }
}

/// A call that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    /// Its id, a UUID of version 7: ids sort by time.
    pub id: String,
    /// The collection.
    pub collection: CollectionName,
    /// The asset.
    pub key: AssetKey,
    /// The recipe.
    pub recipe: RecipeDigest,
    /// The generator's kind.
    pub generator: String,
    /// The generator's name in the manifest.
    pub service: String,
    /// The model, where the recipe names one.
    pub model: Option<String>,
    /// What it will cost.
    pub estimate: Estimate,
    /// The account that pays, where the generator has one.
    pub account: Option<Account>,
    /// The original of the recipe that whoever asks knows to be gone.
    pub gone: Option<ContentDigest>,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id, a UUID of version 7: ids sort by time.
    pub id: String,
    /// The run that sent it, and pays for it.
    pub run: String,
    /// For which collection.
    pub collection: CollectionName,
    /// For which asset.
    pub key: AssetKey,
    /// For which recipe.
    pub recipe: RecipeDigest,
    /// The generator's kind.
    pub generator: String,
    /// The generator's name in the manifest.
    pub service: String,
    /// The model, where the recipe names one.
    pub model: Option<String>,
    /// What it was to cost.
    pub estimate: Estimate,
    /// What it cost, once the service told.
    pub cost: Option<MicroUsd>,
    /// The number of its last request, counted from 1.
    pub attempt: u32,
    /// The account that pays; lines of earlier versions have none.
    pub account: Option<Account>,
    /// What became of it.
    pub status: CallStatus,
    /// The service's id of the task, once it is known.
    pub task: Option<String>,
    /// Why, with a failure; holds no secret.
    pub reason: Option<String>,
    /// The digest of the bytes, once they were seen.
    pub sha256: Option<ContentDigest>,
    /// What people decided about it.
    pub decision: Option<Decision>,
    /// When it was written: milliseconds since 1970 by the state's clock.
    pub created_at: i64,
    /// When it was last changed, likewise.
    pub updated_at: i64,
}

/// Whether the run that sent a call may still be at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// It may.
    AtWork,
    /// It ended, or is dead.
    Ended,
}

/// What was paid for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallCharge {
    /// As much, as the service told or else by the estimate.
    Charged(MicroUsd),
    /// As much or nothing: nobody knows.
    Maybe(MicroUsd),
    /// Nothing, or nothing yet.
    Nothing,
}

impl CallCharge {
    /// Returns the name that events use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Charged(_) => "charged",
            Self::Maybe(_) => "maybe",
            Self::Nothing => "nothing",
        }
    }
}

impl Call {
    /// Returns what was paid for it.
    pub fn charge(&self, sender: Sender) -> CallCharge {
        let estimate = self.estimate.amount();
        match (self.status, self.cost) {
            // What the service told while it was still at it may grow.
            (status, Some(cost)) if status.is_open() => CallCharge::Charged(cost.max(estimate)),
            (CallStatus::Refused, Some(MicroUsd(0))) => CallCharge::Nothing,
            (_, Some(cost)) => CallCharge::Charged(cost),
            (
                CallStatus::Finished
                | CallStatus::Submitted
                | CallStatus::Received
                | CallStatus::Rejected
                | CallStatus::Lost,
                None,
            ) => CallCharge::Charged(estimate),
            (CallStatus::Unknown | CallStatus::Failed | CallStatus::Judged, None) => CallCharge::Maybe(estimate),
            (CallStatus::Intended, None) if sender == Sender::Ended => CallCharge::Maybe(estimate),
            (CallStatus::Intended | CallStatus::Refused, None) => CallCharge::Nothing,
        }
    }

    /// Returns its last request.
    pub fn last_attempt(&self) -> CallAttempt {
        CallAttempt { call: self.id.clone(), number: self.attempt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_same_id_for_ever_and_no_other_has_it() {
        let id = |call: &str, number| CallAttempt { call: call.to_owned(), number }.service_id();
        insta::assert_snapshot!(id("0197f1", 1), @"d4b577b5-6d58-4df1-855a-89bea8a60198");
        let ids = [id("0197f1", 1), id("0197f1", 2), id("0197f", 11), id("0197f11", 1)];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert_eq!(uuid::Uuid::parse_str(&ids[0]).unwrap().get_version_num(), 4);
    }

    #[test]
    fn an_account_is_known_by_store_kind_address_and_key() {
        let account = Account::of("store", "kind", "https://api.example.com", "key");
        assert_eq!(account, Account::of("store", "kind", "https://api.example.com", "key"));
        for other in [
            Account::of("stores", "kind", "https://api.example.com", "key"),
            Account::of("store", "kin", "dhttps://api.example.com", "key"),
            Account::of("store", "kind", "https://api.example.com", "keys"),
        ] {
            assert_ne!(account, other);
        }
    }
}
