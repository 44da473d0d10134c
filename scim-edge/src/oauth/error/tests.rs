use std::time::Duration;

use identity_proto::status;

use super::*;

fn core(reason: ErrorReason, message: &str, delay: Option<Duration>) -> Error {
    let status = status::status(tonic::Code::FailedPrecondition, reason, message, [], delay);
    Error::from(Failure::from(status))
}

fn check(reason: ErrorReason, status: u16, code: &str) {
    let error = core(reason, "", None);
    assert_eq!(
        (error.outcome().0.as_u16(), error.code().name()),
        (status, code),
        "{reason:?}"
    );
}

#[test]
fn reasons_have_the_codes_that_the_contract_names() {
    use ErrorReason as R;
    check(R::ClientInvalid, 401, "invalid_client");
    check(R::GrantInvalid, 400, "invalid_grant");
    check(R::ClientUnauthorized, 400, "unauthorized_client");
    check(R::ScopeInvalid, 400, "invalid_scope");
    check(R::RedirectUriMismatch, 400, "invalid_request");
    check(R::ConsentRefused, 403, "access_denied");
    check(R::TooMany, 429, "temporarily_unavailable");
    check(R::Unavailable, 503, "temporarily_unavailable");
    check(R::ServiceKeyInvalid, 503, "temporarily_unavailable");
    check(R::Internal, 500, "server_error");
}

#[test]
fn what_is_wrong_with_input_is_never_a_failure_of_ours() {
    for number in 0..64 {
        let Ok(reason) = ErrorReason::try_from(number) else {
            continue;
        };
        let error = core(reason, "", None);
        let (status, code) = error.outcome();
        assert_eq!(
            status == StatusCode::UNAUTHORIZED,
            code == ErrorCode::InvalidClient,
            "{reason:?}"
        );
        assert_eq!(status.is_server_error(), is_ours(reason), "{reason:?}");
        assert_ne!(error.page_status(), StatusCode::UNAUTHORIZED, "{reason:?}");
        let description = error.description();
        assert!(
            description.ends_with('.') && description.len() < 200,
            "{reason:?}: {description}"
        );
    }
}

fn is_ours(reason: ErrorReason) -> bool {
    use ErrorReason as R;
    let failed = [
        R::Internal,
        R::Unspecified,
        R::LoginInvalid,
        R::LoginStale,
        R::AccessEnded,
        R::EventsGone,
    ];
    let later = [R::Unavailable, R::ServiceKeyInvalid, R::MethodNotAllowed];
    failed.contains(&reason) || later.contains(&reason)
}

#[test]
fn the_core_says_what_to_change_in_characters_that_are_allowed() {
    let error = core(ErrorReason::ClientInvalid, "The \"aud\" is \\x, not caf\u{e9}.", None);
    assert_eq!(error.description(), "The 'aud' is /x, not caf?.");
    let secret = core(ErrorReason::Internal, "sqlx: secret", None);
    assert!(!secret.description().contains("sqlx"), "{}", secret.description());
    let broken = Error::from(Failure::from(tonic::Status::unknown("src/x.rs")));
    assert!(!broken.description().contains("src"), "{}", broken.description());
}

#[test]
fn who_may_come_back_is_told_when() {
    let delay = Some(Duration::from_millis(6_100));
    for (reason, status) in [(ErrorReason::TooMany, 429), (ErrorReason::Unavailable, 503)] {
        let response = core(reason, "", delay).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (status, &"7".parse().unwrap())
        );
    }
    let response = Error::from(Failure::Timeout).into_response();
    assert_eq!(
        (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
        (503, &"2".parse().unwrap())
    );
    assert!(
        !core(ErrorReason::GrantInvalid, "", delay)
            .into_response()
            .headers()
            .contains_key(RETRY_AFTER)
    );
}

#[test]
fn whoever_does_not_prove_itself_is_told_how() {
    for error in [
        core(ErrorReason::ClientInvalid, "", None),
        Error::Refused(ErrorCode::InvalidClient, "x.".to_owned()),
    ] {
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Basic realm=\"OAuth\"");
        assert_eq!(response.headers()["pragma"], "no-cache");
    }
}
