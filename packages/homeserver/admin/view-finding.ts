import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { BeginningFinding } from '../rooms/doctor/beginning/mend-beginning.ts'
import type { BeginningDispute, Ruling } from '../rooms/doctor/beginning/settle-beginning.ts'
import type { Judgement } from '../rooms/judge/judge-anew.ts'
import type { Difference, RoomFinding, ServerFinding, Why } from '../rooms/doctor/finding.ts'
import type { Repair } from '../rooms/doctor/repair-room.ts'
import { formatTime } from './job-view.ts'

const WHY: Readonly<Record<Why, string>> = {
  'never-received': 'we never received it',
  waiting: 'it waits here for events that it refers to',
  rejected: 'we rejected it',
  'soft-failed': 'we soft-failed it',
  'beside-graph': 'we hold it for reference only, not as part of the room',
  'resolved-otherwise': 'we have it, and resolved to another one',
  invalid: 'what they name is no valid event of this room',
  withheld: 'they name it and do not give it to us',
  lacking: 'they have nothing there',
}

function viewServer({
  failure,
  newest,
  holdNewest,
  onlyOurs,
  onlyTheirs,
  ...one
}: ServerFinding): JsonObject {
  const same = onlyOurs === 0 && onlyTheirs === 0
  return {
    server: one.server,
    answer: failure ?? (same && (newest === undefined || holdNewest) ? 'same state' : 'differs'),
    compared_at: [...one.comparedAt],
    their_newest: newest ?? null,
    we_hold_it: newest === undefined ? null : holdNewest,
    only_theirs: onlyTheirs,
    only_ours: onlyOurs,
  }
}

function viewDifference({ type, stateKey, ours, theirs, why, reason, servers, at }: Difference): JsonObject {
  const event = theirs ?? ours
  return {
    type,
    state_key: stateKey,
    ours: ours?.eventId ?? null,
    theirs: theirs?.eventId ?? null,
    sender: event?.sender ?? null,
    sent: event === undefined || event.originServerTs === 0 ? null : formatTime(event.originServerTs),
    why: reason === undefined ? WHY[why] : `${WHY[why]}: ${reason}`,
    according_to: [...servers],
    at,
  }
}

/** Whether anybody who answered has another state than we do, or newer events. */
export function differs({ servers, differences, leftOut }: RoomFinding): boolean {
  return (
    differences.length > 0 ||
    leftOut > 0 ||
    servers.some(({ newest, holdNewest }) => newest !== undefined && !holdNewest)
  )
}

function verdictOf(finding: RoomFinding): string {
  const { servers } = finding
  if (servers.length === 0) return 'no other server is in the room'
  if (servers.every(({ failure }) => failure !== undefined)) return 'no other server could be asked'
  return differs(finding) ? 'the state differs' : 'the state is the same'
}

/** What an operator can do about it, in a sentence. */
function adviceFor(
  finding: RoomFinding,
  repair: Repair | undefined,
  beginning: BeginningFinding | undefined,
): string | null {
  const { servers, differences, waiting } = finding
  if (servers.length > 0 && servers.every(({ failure }) => failure !== undefined)) {
    return 'Name servers that answer with --servers; see "causeway admin federation destination show"'
  }
  if (!differs(finding)) return null
  if (repair === undefined)
    return 'Run the same with --repair: what follows from events that verify is mended'
  const all = new Set(differences.map(({ why }) => why))
  const obstacle = repair.obstacle ?? beginning?.obstacle
  if (obstacle !== undefined) return obstacle
  if (waiting > 0) return 'Events of the room are still being fetched; look again in some minutes'
  if (all.size > 0 && [...all].every((why) => why === 'lacking' || why === 'resolved-otherwise')) {
    return 'We hold all that they have: run a doctor at their end, or ask their operators to'
  }
  if (all.has('soft-failed') && all.size === 1) {
    return 'Both are right by the rules: the next event that is built on both branches settles it'
  }
  return 'What is left has no place in the part of the room that this server holds, and is not shown to be older than our join, or too few servers say so: name those that you believe with --servers'
}

/** An examination as the command shows it; after a repair, what was found then. */
export function viewFinding(
  finding: RoomFinding,
  resets: readonly JsonObject[],
  repair: Repair | undefined,
  beginning: BeginningFinding | undefined,
): JsonObject {
  return {
    room_id: finding.roomId,
    verdict: verdictOf(finding),
    advice: adviceFor(finding, repair, beginning),
    gaps: finding.gaps,
    rejected: finding.rejected,
    soft_failed: finding.softFailed,
    waiting: finding.waiting,
    extremities: finding.extremities.map(({ eventId, sender, originServerTs, depth }) => ({
      event_id: eventId,
      sender,
      sent: formatTime(originServerTs),
      depth,
    })),
    state_resets: [...resets],
    servers: finding.servers.map(viewServer),
    differences: finding.differences.map(viewDifference),
    further_differences: finding.leftOut,
    before_our_join: beginning === undefined ? null : viewBeginning(beginning),
  }
}

const RULING: Readonly<Record<Ruling, string>> = {
  agreed: 'most of those asked say the same: that counts',
  kept: 'what others say can be neither shown to be older than our join nor do enough of them say it: ours stays',
  taken: 'we had nothing there, and what they have is shown to be older than our join: it counts',
  resolved: 'each of them is shown to be older than our join, or ours: state resolution decides',
}

/** Keys that are shown one by one. */
const MAX_SHOWN = 200

/** What was found of the state before our join. */
export function viewBeginning({ join, told, disputes, judgement, obstacle }: BeginningFinding): JsonObject {
  return {
    our_join: join,
    servers: told.map(({ server, failure, ids }) => ({ server, answer: failure ?? `${ids.length} events` })),
    differences: disputes.slice(0, MAX_SHOWN).map(viewDispute),
    further_differences: Math.max(0, disputes.length - MAX_SHOWN),
    ...viewJudgement(judgement),
    obstacle: obstacle ?? null,
  }
}

function viewDispute({ type, stateKey, ours, told, ruling, candidates }: BeginningDispute): JsonObject {
  return {
    type,
    state_key: stateKey,
    ours: ours ?? null,
    told: [...told].map(([eventId, servers]) => ({ event_id: eventId ?? null, by: [...servers] })),
    ruling: RULING[ruling],
    may_stand: candidates.map((eventId) => eventId ?? null),
  }
}

/** What a repair did. */
export function viewRepair({ received, judgement, obstacle }: Repair): JsonObject {
  return {
    received: [...received].filter(([, error]) => error === undefined).map(([eventId]) => eventId),
    refused: [...received].flatMap(([eventId, error]) =>
      error === undefined ? [] : [{ event_id: eventId, reason: error }],
    ),
    ...viewJudgement(judgement),
    obstacle: obstacle ?? null,
  }
}

function viewJudgement(judgement: Judgement | undefined): JsonObject {
  return {
    accepted_now: [...(judgement?.accepted ?? [])],
    refused_now: (judgement?.refused ?? []).map(({ eventId, reason }) => ({ event_id: eventId, reason })),
    events_with_another_state: judgement?.moved ?? 0,
    state_changes: (judgement?.changes ?? []).map(({ type, stateKey, before, after }) => ({
      type,
      state_key: stateKey,
      before: before?.stored.eventId ?? null,
      after: after?.stored.eventId ?? null,
    })),
  }
}
