import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'

/** A room in a space. */
export interface SpaceChild {
  readonly roomId: RoomId
  readonly via: readonly ServerName[]
  readonly suggested: boolean
}

/** Servers named in one link that are looked at. */
const MAX_VIA = 10

/**
 * The children that stripped `m.space.child` events name, in the order in which they are to be shown; those that name no
 * server are no children. https://spec.matrix.org/v1.19/client-server-api/#ordering-of-children-within-a-space
 */
export function childrenOf(events: readonly unknown[]): SpaceChild[] {
  return linksOf(events).map((event) => ({
    roomId: event['state_key'] as RoomId,
    via: viaOf(event),
    suggested: (event['content'] as JsonObject)['suggested'] === true,
  }))
}

/** The `m.space.child` events among them, in the order in which the children are to be shown. */
export function linksOf(events: readonly unknown[]): JsonObject[] {
  const links = events.filter((event) => isJsonObject(event)).filter((event) => isLink(event))
  return links.toSorted(byPlace)
}

function isLink(event: JsonObject): boolean {
  const isChild = event['type'] === 'm.space.child' && isRoomId(event['state_key'])
  return isChild && isJsonObject(event['content']) && viaOf(event).length > 0
}

function viaOf(event: JsonObject): ServerName[] {
  const via = (event['content'] as JsonObject)['via']
  if (!Array.isArray(via)) return []
  return via
    .slice(0, MAX_VIA)
    .filter((name): name is ServerName => typeof name === 'string' && isServerName(name))
}

const ORDER = /^[\x20-\x7E]{1,50}$/

function orderOf(event: JsonObject): string | undefined {
  const order = (event['content'] as JsonObject)['order']
  return typeof order === 'string' && ORDER.test(order) ? order : undefined
}

function byPlace(a: JsonObject, b: JsonObject): number {
  const [first, second] = [orderOf(a), orderOf(b)]
  if (first !== second) {
    if (first === undefined) return 1
    if (second === undefined) return -1
    return first < second ? -1 : 1
  }
  const time = Number(a['origin_server_ts']) - Number(b['origin_server_ts'])
  if (time !== 0 && !Number.isNaN(time)) return time
  return (a['state_key'] as string) < (b['state_key'] as string) ? -1 : 1
}
