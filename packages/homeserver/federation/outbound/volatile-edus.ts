import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'

/** What may be lost on its way to another server. */
export type VolatileEdu =
  | { readonly kind: 'typing'; readonly roomId: string; readonly userId: UserId; readonly typing: boolean }
  | {
      readonly kind: 'receipt'
      readonly roomId: string
      readonly userId: UserId
      readonly eventId: string
      readonly threadId: string | undefined
      readonly ts: number
    }
  /** What the user's presence is by the time it is sent. */
  | { readonly kind: 'presence'; readonly userId: UserId }

/** Volatile EDUs that wait, by server: of each kind, room, user and thread the last. Bounded: who waits longest goes. */
export interface VolatileEdus {
  put(server: ServerName, edu: VolatileEdu): void
  /** Removes what fits, put together into EDUs as canonical JSON. */
  take(server: ServerName, maxEdus: number, maxChars: number): string[]
  has(server: ServerName): boolean
  /** The server cannot be reached. */
  drop(server: ServerName): void
}

/** Items kept for one server. */
const MAX_ITEMS = 2_000

export function createVolatileEdus(
  budget: MemoryBudget,
  /** What others are told of a user's presence now. */
  presenceOf: (userId: UserId) => JsonObject,
): VolatileEdus {
  const queues = budget.cache<ServerName, Map<string, VolatileEdu>>({
    name: 'volatile_edus',
    share: 0.01,
    weigh: (items) => 200 + items.size * 200,
  })
  return {
    put(server, edu) {
      const items = queues.get(server) ?? new Map<string, VolatileEdu>()
      const key = keyOf(edu)
      items.delete(key)
      items.set(key, edu)
      if (items.size > MAX_ITEMS) items.delete(items.keys().next().value!)
      queues.set(server, items)
    },
    take(server, maxEdus, maxChars) {
      const items = queues.peek(server)
      if (items === undefined || maxEdus <= 0) return []
      const { edus, left } = combine(items, maxEdus, maxChars, presenceOf)
      if (left.size === 0) queues.delete(server)
      else queues.set(server, left)
      return edus
    },
    has: (server) => queues.peek(server) !== undefined,
    drop: (server) => void queues.delete(server),
  }
}

function keyOf(edu: VolatileEdu): string {
  if (edu.kind === 'presence') return `p${edu.userId}`
  return edu.kind === 'typing'
    ? `t${edu.roomId} ${edu.userId}`
    : `r${edu.roomId} ${edu.userId} ${edu.threadId ?? ''}`
}

/** About what an item takes, as JSON. */
const CHARS = 400

type Receipts = Record<string, { 'm.read': Record<string, JsonObject> }>

function combine(
  items: ReadonlyMap<string, VolatileEdu>,
  maxEdus: number,
  maxChars: number,
  presenceOf: (userId: UserId) => JsonObject,
): { edus: string[]; left: Map<string, VolatileEdu> } {
  const typing: JsonObject[] = []
  const receipts: Receipts[] = []
  const presence: JsonObject[] = []
  const left = new Map<string, VolatileEdu>()
  let chars = 0
  for (const [key, edu] of items) {
    // One EDU is kept for presence.
    const isFull = typing.length + receipts.length >= maxEdus - 1
    if (chars + CHARS > maxChars || (isFull && edu.kind === 'typing')) {
      left.set(key, edu)
      continue
    }
    if (edu.kind === 'presence') presence.push({ user_id: edu.userId, ...presenceOf(edu.userId) })
    else if (edu.kind === 'typing') typing.push(typingContent(edu))
    else if (!addReceipt(receipts, edu, isFull)) {
      left.set(key, edu)
      continue
    }
    chars += CHARS
  }
  return { edus: format(typing, receipts, presence), left }
}

function typingContent({ roomId, userId, typing }: VolatileEdu & { kind: 'typing' }): JsonObject {
  return { room_id: roomId, user_id: userId, typing }
}

/** One EDU holds one receipt of a user in a room: those of other threads go into the next. */
function addReceipt(
  receipts: Receipts[],
  { roomId, userId, eventId, threadId, ts }: VolatileEdu & { kind: 'receipt' },
  isFull: boolean,
): boolean {
  let edu = receipts.find((one) => one[roomId]?.['m.read'][userId] === undefined)
  if (edu === undefined) {
    if (isFull) return false
    receipts.push((edu = {}))
  }
  const room = (edu[roomId] ??= { 'm.read': {} })
  const data: JsonObject = threadId === undefined ? { ts } : { ts, thread_id: threadId }
  room['m.read'][userId] = { event_ids: [eventId], data }
  return true
}

function format(
  typing: readonly JsonObject[],
  receipts: readonly Receipts[],
  presence: readonly JsonObject[],
): string[] {
  const edus: JsonObject[] = [
    ...typing.map((content) => ({ edu_type: 'm.typing', content })),
    ...receipts.map((content) => ({ edu_type: 'm.receipt', content: content as JsonObject })),
    ...(presence.length === 0 ? [] : [{ edu_type: 'm.presence', content: { push: [...presence] } }]),
  ]
  return edus.map((edu) => canonicalJson(edu))
}
