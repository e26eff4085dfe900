import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authStateOf, type AuthState, type Verdict } from '../event-auth/auth-state.ts'
import { authorizeEvent } from '../event-auth/authorize.ts'
import { checkAuthEventsSelection } from '../event-auth/check-auth-events.ts'
import { packStateKey } from '../event-auth/state-key.ts'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import type { StateMap } from '../state-res/state-map.ts'
import {
  readRecordings,
  resolve,
  stateBefore,
  verifySignature,
  type Recording,
  type View,
} from './recording-suite.ts'

type Stage = 'selection' | 'auth events' | 'state before'

function authState(recording: Recording, state: StateMap): AuthState {
  return {
    get(type, stateKey) {
      const id = state.get(packStateKey(type, stateKey))
      return id === undefined ? undefined : recording.byId.get(id)
    },
  }
}

function byAuthEvents({ rules, roomId, byId }: Recording, event: RoomEvent): AuthState {
  const implied = rules.roomIdIsCreateHash ? [createEventIdOf(roomId)] : []
  return authStateOf([...event.authEventIds, ...implied].map((id) => byId.get(id)!))
}

/** The checks on receipt in their order; the first that refuses, with its reason. */
async function firstRefusal(
  recording: Recording,
  view: View,
  event: RoomEvent,
): Promise<{ stage: Stage; reason: string } | undefined> {
  const { rules, byId } = recording
  const before = await stateBefore(recording, view, event)
  const lookup = {
    find: (id: EventId) => byId.get(id),
    isRejected: (id: EventId) => view.rejected.has(id),
  }
  const authorize = (state: AuthState): Verdict => authorizeEvent(rules, event, state, verifySignature)
  const checks: [Stage, () => Verdict][] = [
    ['selection', () => checkAuthEventsSelection(rules, event, lookup)],
    ['auth events', () => authorize(byAuthEvents(recording, event))],
  ]
  if (before) checks.push(['state before', () => authorize(authState(recording, before))])
  for (const [stage, check] of checks) {
    const verdict = check()
    if (!verdict.ok) return { stage, reason: verdict.reason }
  }
  return undefined
}

for (const recording of readRecordings()) {
  const version = `version ${recording.rules.version}`
  const name = (event: RoomEvent): string => `event ${recording.events.indexOf(event)} (${event.pdu.type})`

  test(`${version}: what Synapse accepted passes all checks, what it rejected fails one`, async () => {
    const stages = new Set<Stage>()
    for (const view of recording.views) {
      for (const event of view.arrival) {
        const refusal = await firstRefusal(recording, view, event)
        const said = `${view.server}: ${name(event)}: ${refusal ? `${refusal.stage}: ${refusal.reason}` : 'allowed'}`
        assert.equal(refusal !== undefined, view.rejected.has(event.eventId), said)
        if (refusal) stages.add(refusal.stage)
      }
    }
    assert.deepEqual([...stages].sort(), ['auth events', 'selection', 'state before'])
  })

  test(`${version}: what Synapse soft-failed is what the current state of its room forbids`, async () => {
    for (const view of recording.views) {
      let extremities: EventId[] = []
      for (const event of view.arrival) {
        if (view.outliers.has(event.eventId) || view.rejected.has(event.eventId)) continue
        const isRemote = !event.pdu.sender.endsWith(`:${view.server}`)
        if (extremities.length > 0 && isRemote) {
          const current = await resolve(
            recording,
            view,
            extremities.map((id) => view.stateAfter(id)!),
          )
          const verdict = authorizeEvent(
            recording.rules,
            event,
            authState(recording, current),
            verifySignature,
          )
          const said = `${view.server}: ${name(event)}: ${verdict.ok ? 'allowed' : verdict.reason}`
          assert.equal(!verdict.ok, view.softFailed.has(event.eventId), said)
        }
        if (view.softFailed.has(event.eventId)) continue
        extremities = [...extremities.filter((id) => !event.prevEventIds.includes(id)), event.eventId]
      }
    }
  })
}
