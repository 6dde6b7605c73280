//! Calls about organizations, members and tokens. What makes a token is sent once: a second one
//! would make another, which nobody was told of.

use hyper::Method;

use crate::grant::GRANT_PATTERNS_MAX;
use crate::name::{EmailAddress, SECRET_NAME_BYTES_MAX, TokenId};
use crate::wire;

use super::answer;
use super::call::Call;
use super::{Client, Error, FRAME_BYTES_MAX, PageQuery, ProtocolFault, ROW_BYTES_MAX};

/// The most rows of a page that is asked for: each may hold a whole list of names.
pub const PEOPLE_ROWS_MAX: usize = 100;
/// The most bytes of such a row: its own, and a name with its quotes and comma.
const GRANT_ROW_BYTES_MAX: usize = ROW_BYTES_MAX + GRANT_PATTERNS_MAX * (SECRET_NAME_BYTES_MAX + 8);
const PAGE_BYTES_MAX: usize = FRAME_BYTES_MAX + PEOPLE_ROWS_MAX * GRANT_ROW_BYTES_MAX;
/// One row, and a token beside it.
const ISSUED_BYTES_MAX: usize = FRAME_BYTES_MAX + GRANT_ROW_BYTES_MAX;

impl Client {
    /// The organizations that the token reaches, whichever this client is for.
    pub fn orgs(&self, page: &PageQuery) -> Result<wire::OrgList, Error> {
        self.page(wire::orgs_path(), page)
    }

    pub fn create_org(
        &self,
        request: &wire::OrgRequest,
    ) -> Result<wire::Issued<wire::Organization>, Error> {
        let call = issuing(wire::orgs_path(), request);
        self.call(&call, |answer| {
            let issued: wire::Issued<wire::Organization> = answer::parse(&answer.body)?;
            same(issued.of.name == request.name, issued)
        })
    }

    pub fn members(&self, page: &PageQuery) -> Result<wire::MemberList, Error> {
        self.page(wire::members_path(self.org()), page)
    }

    pub fn add_member(
        &self,
        request: &wire::MemberRequest,
    ) -> Result<wire::Issued<wire::Member>, Error> {
        let call = issuing(wire::members_path(self.org()), request);
        self.call(&call, |answer| {
            let issued: wire::Issued<wire::Member> = answer::parse(&answer.body)?;
            same(issued.of.email == request.email.as_str(), issued)
        })
    }

    /// What is left out of the change stays.
    pub fn change_member(
        &self,
        email: &EmailAddress,
        change: &wire::MemberChange,
    ) -> Result<wire::Member, Error> {
        let call = Call {
            body: Some(json(change).into()),
            answer_max: ISSUED_BYTES_MAX,
            ..Call::new(Method::PATCH, wire::member_path(self.org(), email))
        };
        self.call(&call, |answer| {
            let member: wire::Member = answer::parse(&answer.body)?;
            same(member.email == email.as_str(), member)
        })
    }

    pub fn remove_member(&self, email: &EmailAddress) -> Result<(), Error> {
        let call = Call::new(Method::DELETE, wire::member_path(self.org(), email));
        self.call(&call, answer::gone)
    }

    pub fn tokens(&self, page: &PageQuery) -> Result<wire::TokenList, Error> {
        self.page(wire::tokens_path(self.org()), page)
    }

    pub fn create_token(&self, request: &wire::TokenRequest) -> Result<wire::IssuedToken, Error> {
        let call = issuing(wire::tokens_path(self.org()), request);
        self.call(&call, |answer| answer::parse(&answer.body))
    }

    pub fn revoke_token(&self, id: &TokenId) -> Result<(), Error> {
        let call = Call::new(Method::DELETE, wire::token_path(self.org(), id));
        self.call(&call, answer::gone)
    }

    fn page<T>(&self, path: String, page: &PageQuery) -> Result<T, Error>
    where
        T: for<'de> serde::Deserialize<'de>,
    {
        let call =
            Call { answer_max: PAGE_BYTES_MAX, ..Call::new(Method::GET, path + &page.to_query()) };
        self.call(&call, |answer| answer::parse(&answer.body))
    }
}

fn issuing<'a>(path: String, request: &impl serde::Serialize) -> Call<'a> {
    Call {
        body: Some(json(request).into()),
        answer_max: ISSUED_BYTES_MAX,
        repeats: false,
        ..Call::new(Method::POST, path)
    }
}

fn json(request: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(request).expect("names, lists and times are JSON")
}

/// An answer is about what was asked for.
fn same<T>(is_same: bool, answer: T) -> Result<T, ProtocolFault> {
    if is_same { Ok(answer) } else { Err(ProtocolFault::OtherName) }
}
