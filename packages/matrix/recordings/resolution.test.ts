import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packStateKey } from '../event-auth/state-key.ts'
import type { EventId } from '../ids/ids.ts'
import type { StateMap } from '../state-res/state-map.ts'
import { describeState, readRecordings, resolve, stateBefore } from './recording-suite.ts'

for (const recording of readRecordings()) {
  const version = `version ${recording.rules.version}`
  const same = (actual: StateMap, expected: StateMap, what: string): void =>
    assert.deepEqual(describeState(recording, actual), describeState(recording, expected), what)

  test(`${version}: the state after every event is the one Synapse stored, forks resolved`, async () => {
    let merges = 0
    let conflicts = 0
    for (const view of recording.views) {
      for (const event of view.arrival) {
        const stored = view.stateAfter(event.eventId)
        const before = await stateBefore(recording, view, event)
        if (!stored || !before) continue
        const { type, state_key: stateKey } = event.pdu
        const after = new Map(before)
        if (stateKey !== undefined && !view.rejected.has(event.eventId))
          after.set(packStateKey(type, stateKey), event.eventId)
        same(after, stored, `${view.server}: after event ${recording.events.indexOf(event)}`)
        const parents = event.prevEventIds.map((id) => view.stateAfter(id)!)
        if (parents.length > 1) merges++
        if (new Set(parents.map((parent) => describeState(recording, parent).join())).size > 1) conflicts++
      }
    }
    assert.ok(merges >= 8, `${merges} events with several parents`)
    assert.ok(conflicts >= 6, `${conflicts} of them with different states`)
  })

  test(`${version}: resolution does not depend on the order of the states`, async () => {
    const [view] = recording.views
    for (const event of view!.arrival) {
      if (event.prevEventIds.length < 2) continue
      const states = event.prevEventIds.map((id) => view!.stateAfter(id)!)
      const reversed = states.toReversed().map((state) => new Map([...state].toReversed()))
      same(await resolve(recording, view!, reversed), await resolve(recording, view!, states), event.eventId)
    }
  })

  test(`${version}: each server's current state is the resolved state of its extremities`, async () => {
    for (const view of recording.views) {
      const states = view.extremities.map((id: EventId) => view.stateAfter(id)!)
      same(await resolve(recording, view, states), view.currentState, view.server)
    }
  })
}
