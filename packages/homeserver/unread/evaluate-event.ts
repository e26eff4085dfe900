import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import type { PushContext } from '@causeway/matrix/push-rules/conditions.ts'
import { evaluate, type CompiledRules, type PushVerdict } from '@causeway/matrix/push-rules/evaluate.ts'
import { PushEvent } from '@causeway/matrix/push-rules/push-event.ts'
import { readStateKeysAt } from '../rooms/current-state.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { powerBy } from '../rooms/power-state.ts'
import { threadOf } from '../rooms/relation.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

/** An event is put before the rules of many users: prepared once for all of them. */
const prepared = new WeakMap<StoredEvent, PushEvent>()

/** An event as push rules see it. */
export function pushEventOf(event: StoredEvent): PushEvent {
  const known = prepared.get(event)
  if (known !== undefined) return known
  const { type, sender, roomId, eventId, content, stateKey } = event
  const input = { type, sender, room_id: roomId, event_id: eventId, content }
  const made = new PushEvent(stateKey === undefined ? input : { ...input, state_key: stateKey })
  prepared.set(event, made)
  return made
}

/** What the rules of one user say about events of one room; state is looked up once per run of equal state. */
export function createEvaluator(
  engine: RoomEngine,
  room: RoomInfo,
  rules: CompiledRules,
): (event: StoredEvent) => Promise<PushVerdict> {
  let root = -1
  let contextFor: (sender: string) => PushContext = () => ({ memberCount: 0, senderPower: 0 })
  return async (event) => {
    if (event.stateRoot !== root) {
      contextFor = await readContext(engine, room, rules.userId, event.stateRoot)
      root = event.stateRoot
    }
    const context = contextFor(event.sender)
    const threadId = rules.asksForThreads ? threadOf(event.content) : undefined
    if (threadId === undefined) return evaluate(rules, pushEventOf(event), context)
    const isThreadSubscribed = (await engine.threads.of(rules.userId)).has(room.roomNid, threadId)
    return evaluate(rules, pushEventOf(event), { ...context, isThreadSubscribed })
  }
}

async function readContext(
  engine: RoomEngine,
  room: RoomInfo,
  userId: string,
  root: number,
): Promise<(sender: string) => PushContext> {
  const [create, levels, member] = await readStateKeysAt(engine, room, root, [
    { type: 'm.room.create', stateKey: '' },
    { type: 'm.room.power_levels', stateKey: '' },
    { type: 'm.room.member', stateKey: userId },
  ])
  const { joined } = await engine.members.counts(room.roomNid)
  const displayName = member?.stored.content['displayname']
  const powers = powerBy(room.rules, create?.roomEvent, levels?.roomEvent)
  return (sender) => ({
    memberCount: joined,
    displayName: typeof displayName === 'string' ? displayName : undefined,
    senderPower: userLevel(powers, sender),
    notificationLevels: levels?.stored.content['notifications'],
  })
}
