//! The facts, one function each, over any store. A new one is written in the part where it belongs and named in the list below.

mod accepting;
mod asking;
mod counting;
mod ending;
mod holding;
mod leasing;
mod paging;
mod pruning;
mod recording;
mod seeing;
mod setting;
mod writing;

pub(crate) use accepting::*;
pub(crate) use asking::*;
pub(crate) use counting::*;
pub(crate) use ending::*;
pub(crate) use holding::*;
pub(crate) use leasing::*;
pub(crate) use paging::*;
pub(crate) use pruning::*;
pub(crate) use recording::*;
pub(crate) use seeing::*;
pub(crate) use setting::*;
pub(crate) use writing::*;

/// Makes a test of each fact, on the stage that the expression sets up.
macro_rules! conformance {
    ($stage:expr) => {
        crate::conformance::conformance!($stage;
            // accepting
            i1_an_accepted_event_is_stored_exactly_once_and_its_bell_has_rung
            i10_a_cursor_moves_only_together_with_its_events
            a_duplicate_in_the_same_call_is_a_duplicate
            connections_do_not_share_dedupe_keys_nor_records
            an_unknown_record_gets_a_lane_that_is_due_at_once
            a_known_record_rings_in_its_lane
            a_callers_lane_wins_over_a_lane_that_has_made_nothing_of_the_record
            a_callers_lane_does_not_take_a_record_from_a_link_or_a_run
            a_lane_that_does_not_exist_is_no_lane
            // leasing
            i2_a_leased_lane_is_claimed_by_no_one_else
            a_lease_that_ran_out_is_due_with_a_higher_fence
            i3_an_old_fence_changes_nothing
            a_run_that_has_ended_cannot_end_again
            a_renewed_lease_lasts_longer
            what_an_owner_releases_is_due_at_once
            the_longest_due_lanes_are_claimed_first
            the_next_due_moment_counts_waits_and_ends_of_leases
            // writing
            i5_a_second_intent_is_refused_while_one_is_open
            i5_a_write_is_closed_only_under_its_own_intent
            i4_a_referral_or_row_is_linked_once_within_a_connection
            a_refused_change_leaves_nothing_behind
            bases_move_one_by_one_and_carry_their_raws
            a_base_that_names_a_raw_nobody_gave_is_refused
            a_member_of_another_lane_is_left_there
            a_link_is_replaced_and_its_bases_stay
            // ending
            i7_a_ring_after_the_look_stays_unanswered
            i7_answered_never_goes_back_nor_past_what_rang
            i9_a_lane_is_never_idle_with_an_unanswered_bell
            i9_an_open_intent_may_only_wait
            failures_in_a_row_are_counted_until_something_succeeds
            the_key_of_a_failure_lasts_until_the_lane_is_settled
            lanes_at_rest_wait_for_a_bell_and_say_why
            a_bell_ends_a_wait
            bells_ring_on_until_a_run_has_looked
            the_cause_that_counts_is_not_hidden_by_one_that_does_not
            a_retired_lane_hands_everything_to_its_elder
            a_retired_lane_makes_a_running_elder_run_again
            a_pair_does_not_retire
            two_lanes_that_retire_into_each_other_leave_one
            a_lane_does_not_retire_into_nothing_or_itself
            an_order_is_written_down_with_who_gave_it
            waking_a_parked_lane_makes_it_due
            waking_a_running_lane_is_not_lost
            // asking
            s10_a_card_is_asked_once_answered_by_a_person_and_kept
            another_question_voids_the_answer_and_the_old_number
            a_lane_has_one_open_card_of_a_kind_about_a_subject
            what_is_closed_or_was_never_asked_says_so
            an_answer_may_be_changed_while_its_card_is_open
            an_answer_during_a_run_makes_the_lane_run_again
            a_refused_change_asks_and_holds_nothing
            a_retired_lane_asks_and_holds_nothing_any_more
            cards_and_holds_are_listed_latest_first
            // holding
            s24_a_hold_waits_for_a_person_who_is_written_down
            s24_a_verdict_is_for_this_write_and_no_other
            a_grace_period_is_neither_prolonged_nor_cut_short
            s24_what_a_person_cancels_during_a_run_is_not_begun
            // counting
            an_attempt_keeps_what_its_intent_was
            an_intent_says_whether_it_can_be_taken_back
            s27_a_run_sees_its_lanes_writes_of_ten_minutes
            s25_writes_that_took_effect_are_counted_by_side
            s26_what_a_lane_was_parked_on_lasts_until_it_is_settled
            a_connections_notes_are_its_own
            // paging
            lanes_are_paged_from_the_youngest_on
            pages_list_only_the_states_that_are_asked_for
            pages_list_what_ran_or_rang_since
            a_single_lane_is_shown_as_in_the_list
            a_look_into_a_lane_needs_no_lease_and_finds_what_a_run_would
            linked_referrals_are_paged_by_their_ids
            // pruning
            rings_that_are_old_and_answered_go_and_others_stay
            the_newest_writes_of_a_lane_stay_however_old_they_are
            // recording
            the_same_content_is_one_recording_and_the_oldest_of_a_deal_go
            a_recording_whose_time_is_over_is_not_shown_and_goes
            recordings_have_at_most_so_many_bytes_and_the_oldest_go_first
            // seeing
            i7_the_audit_chain_verifies_over_many_lanes_and_runs
            the_later_throttle_wins_and_an_open_one_is_not_shown
            the_census_counts_what_is_there
            lanes_are_listed_youngest_first
            a_lane_is_found_by_record_and_by_engagement
            // setting
            s29_the_set_is_the_newest_generation_and_its_bytes_are_there
            s29_of_two_that_follow_one_generation_the_second_is_overtaken
            s29_a_member_without_bytes_is_refused_whole
            a_folder_that_was_heard_is_told_from_one_that_was_not
            a_quarantined_version_is_known_by_its_hash_until_a_person_releases_it
            s29_what_was_quarantined_meanwhile_does_not_come_into_the_set
            old_generations_and_their_bytes_are_dropped
            the_journal_is_read_backwards
            s30_judgements_are_about_one_pair_of_sets
        );
    };
    ($stage:expr; $($fact:ident)*) => {
        $(
            #[tokio::test]
            async fn $fact() {
                crate::conformance::$fact(&$stage).await;
            }
        )*
    };
}
pub(crate) use conformance;
