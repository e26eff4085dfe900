import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { packStateKey, type StateKey } from '../event-auth/state-key.ts'
import { createTestRoom, type TestRoom } from '../event-auth/test-room.ts'
import type { JsonObject } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import { resolveStateMaps } from './resolve.ts'
import type { StateMap } from './state-map.ts'
import { sourceOf, sourceWithEdgesOf, TOOLS } from './test-support.ts'

/** A story of a room that forked. Events follow the one before them unless they say after which. */
interface Scenario {
  source: string
  story: string
  room: { creator: string; users: Record<string, number>; join_rule: string; members: string[] }
  events: ScenarioEvent[]
  stateSets: { after: string; instead?: Record<string, string> }[]
  /** By algorithm: state key → event; null for no state. Keys are `type` or `type|state key`. */
  expect: Partial<Record<'v1' | 'v2' | 'v2.1', Record<string, string | null>>>
}
interface ScenarioEvent {
  id: string
  type: string
  sender: string
  state_key?: string
  content: JsonObject
  after?: string
  auth?: string[]
  ts?: number
  depth?: number
  rejected?: boolean
}

const VERSIONS = { v1: ['1'], v2: ['2', '3', '6', '9', '11'], 'v2.1': ['12'] } as const
const FOLDER = new URL('./fixtures/', import.meta.url)

for (const name of readdirSync(FOLDER)) {
  const scenario = JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Scenario
  for (const [algorithm, expected] of Object.entries(scenario.expect)) {
    for (const version of VERSIONS[algorithm as keyof typeof VERSIONS]) {
      test(`${scenario.source} [${name}, room version ${version}]`, () => tell(scenario, version, expected))
    }
  }
}

async function tell(
  scenario: Scenario,
  version: string,
  expected: Record<string, string | null>,
): Promise<void> {
  const room = openRoom(scenario, version)
  const rejected = new Set(scenario.events.filter((e) => e.rejected).map((e) => room.idOf(e.id)))
  const sets = scenario.stateSets.map((set) => stateSetOf(room, set))
  for (const source of [sourceOf(room.events, rejected), sourceWithEdgesOf(room.events, rejected)]) {
    for (const maps of [sets, sets.toReversed()]) {
      const resolved = await resolveStateMaps(room.rules, maps, source, TOOLS)
      for (const [key, id] of Object.entries(expected)) {
        assert.equal(resolved.get(keyOf(key)), id === null ? undefined : room.idOf(id), key)
      }
    }
  }
}

function openRoom({ room: setting, events }: Scenario, version: string): TestRoom {
  const room = createTestRoom(version)
  const { creator, users, join_rule, members } = setting
  const withoutCreator = (content: JsonObject): JsonObject => {
    if (!room.rules.privilegedCreators || content['users'] === undefined) return content
    const rest = Object.entries(content['users'] as JsonObject).filter(([userId]) => userId !== creator)
    return { ...content, users: Object.fromEntries(rest) }
  }
  const own = { sender: creator, stateKey: '' }
  room.send({ id: 'create', type: 'm.room.create', ...own, content: { creator } })
  join(room, creator)
  const levels = withoutCreator({ users, events: { 'm.room.power_levels': 50 } })
  room.send({ id: 'levels', type: 'm.room.power_levels', ...own, content: levels })
  room.send({ id: 'rules', type: 'm.room.join_rules', ...own, content: { join_rule } })
  for (const userId of members) join(room, userId)
  for (const event of events) {
    const auth = room.rules.roomIdIsCreateHash ? event.auth?.filter((id) => id !== 'create') : event.auth
    room.send({ ...event, stateKey: event.state_key ?? '', content: withoutCreator(event.content), auth })
  }
  return room
}

function join(room: TestRoom, userId: string): void {
  const id = userId.slice(1, userId.indexOf(':'))
  room.send({ id, type: 'm.room.member', sender: userId, stateKey: userId, content: { membership: 'join' } })
}

function stateSetOf(room: TestRoom, { after, instead = {} }: Scenario['stateSets'][number]): StateMap {
  const changes = Object.entries(instead).map(([key, id]): [StateKey, EventId] => [keyOf(key), room.idOf(id)])
  return new Map([...room.stateAfter(after), ...changes])
}

function keyOf(text: string): StateKey {
  const [type = '', stateKey = ''] = text.split('|')
  return packStateKey(type, stateKey)
}
