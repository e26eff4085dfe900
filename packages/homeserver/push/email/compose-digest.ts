import { createHash } from 'node:crypto'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { PusherRow } from '@causeway/store/tables/pushers.ts'
import type { Mail } from '../../email/mailer.ts'
import type { Homeserver } from '../../homeserver.ts'
import { readNames, type EventNames } from '../notification.ts'
import { describeEvent, oneLine } from './describe-event.ts'
import type { MissedRoom } from './missed.ts'
import { renderDigest, type DigestMessage, type DigestRoom } from './render-digest.ts'
import { unsubscribeUrl } from './unsubscribe-link.ts'

/** Rooms and messages of each that a mail shows; of the others it says how many there are. */
const ROOMS_SHOWN = 10
const MESSAGES_SHOWN = 5
const MAX_BRAND = 40

export type ComposeDeps = Pick<Homeserver, 'rooms' | 'config' | 'signer' | 'serverName'>

/**
 * The mail that tells of missed messages.
 * @param turn what tells it from the mails before: the same for the same mail sent again
 */
export async function composeDigest(
  deps: ComposeDeps,
  pusher: PusherRow,
  missed: readonly MissedRoom[],
  turn: number,
): Promise<Mail> {
  const rooms: DigestRoom[] = []
  for (const one of missed.slice(0, ROOMS_SHOWN)) rooms.push(await composeRoom(deps, pusher, one))
  const unsubscribe = unsubscribeUrl(deps, pusher.nid)
  const { subject, text, html } = renderDigest({
    serverName: deps.serverName,
    userId: pusher.user_id,
    rooms,
    otherRooms: missed.length - rooms.length,
    unsubscribe,
    brand: brandOf(pusher),
  })
  const id = createHash('sha256').update(`${pusher.nid} ${pusher.set_ts} ${turn}`).digest('hex').slice(0, 32)
  const messageId = `<missed.${id}@${hostOf(deps.serverName)}>`
  return { to: pusher.pushkey, subject, text, html, unsubscribe, messageId }
}

/** Without a port, which no mail address has. */
const hostOf = (serverName: string): string => serverName.replace(/:\d+$/, '')

function brandOf({ data }: PusherRow): string {
  const { brand } = JSON.parse(data) as { brand?: unknown }
  return typeof brand === 'string' ? oneLine(brand, MAX_BRAND) : ''
}

/** A page of a web client, or one that leads to the client of one's choice. */
function linkTo({ config, serverName }: ComposeDeps, roomId: RoomId): string {
  const { client_url: client } = config.email
  const room = encodeURIComponent(roomId)
  return client === undefined
    ? `https://matrix.to/#/${room}?via=${encodeURIComponent(serverName)}`
    : `${client.replace(/\/+$/, '')}/#/room/${room}`
}

async function composeRoom(
  deps: ComposeDeps,
  pusher: PusherRow,
  { room, events, isMore }: MissedRoom,
): Promise<DigestRoom> {
  const shown = events.slice(0, MESSAGES_SHOWN)
  const messages: DigestMessage[] = []
  let names: EventNames = {}
  for (const event of shown) {
    names = await readNames(deps.rooms, room, event, pusher.user_id as UserId)
    const sender = oneLine(names.sender_display_name ?? '') || event.sender
    messages.push({ ...describeEvent(event), sender, when: timeOf(event) })
  }
  const more = events.length - shown.length
  return {
    name: oneLine(names.room_name ?? names.room_alias ?? '') || talkWith(messages),
    link: linkTo(deps, room.roomId),
    messages,
    more: more === 0 ? '' : `and ${isMore ? 'more than ' : ''}${more} more`,
  }
}

/** A room without a name: whoever wrote there. */
const talkWith = (messages: readonly DigestMessage[]): string =>
  `the conversation with ${[...new Set(messages.map(({ sender }) => sender))].slice(0, 3).join(', ')}`

const MAX_DATE = 8_640_000_000_000_000

/** What its server says of the time, for all readers the same. */
function timeOf({ originServerTs }: StoredEvent): string {
  const date = new Date(Math.min(Math.max(originServerTs, 0), MAX_DATE))
  return date.toISOString().replace(/^\+?0*(\d{4,})-(\d\d)-(\d\d)T(\d\d:\d\d).*$/, '$1-$2-$3 $4 UTC')
}
