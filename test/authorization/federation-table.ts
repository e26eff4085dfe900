import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { makePeerEvent, OURS, type FederationWorld, type Peer } from './federation-world.ts'

/** The parts of a request between servers. */
export interface PeerAsked {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: JsonObject
}

/** What the specification has an operation between servers answer. */
export interface PeerOperation {
  readonly door: 'server' | 'none'
  readonly ask?: (world: FederationWorld, by: Peer) => PeerAsked | Promise<PeerAsked>
  /** To a server in the room, or to any where there is no room or no door. Default: 200. */
  readonly friend?: string
  /** To a server that is in no room of ours. Absent where no room is asked about. */
  readonly stranger?: string
  /** To a server with users in the room that its access control list keeps out. */
  readonly barred?: string
  /** Comes after the others: it takes somebody out of the room. */
  readonly isLast?: true
}

const refused = '403 M_FORBIDDEN'
const room: Pick<PeerOperation, 'stranger' | 'barred'> = { stranger: refused, barred: refused }

type Membership = 'join' | 'leave' | 'knock'

/** A membership of a user of whoever asks, in a room. */
const change =
  (membership: Membership, roomOf: (world: FederationWorld) => RoomId, senderOf = (by: Peer) => by.userId) =>
  async (world: FederationWorld, by: Peer): Promise<PeerAsked> => {
    const sender = senderOf(by)
    const roomId = roomOf(world)
    const content = { membership }
    const draft = { type: 'm.room.member', sender, stateKey: sender, content }
    const { eventId, json } = await makePeerEvent(world, by, roomId, draft)
    return { path: { roomId, eventId, userId: sender }, query: { ver: '11' }, body: json }
  }

const inRoom = ({ roomId }: FederationWorld): RoomId => roomId
const inKnockRoom = ({ knockRoomId }: FederationWorld): RoomId => knockRoomId
const join = change('join', inRoom)
const leave = change('leave', inRoom, ({ leaving }) => leaving[0])
const leaveToo = change('leave', inRoom, ({ leaving }) => leaving[1])
const knock = change('knock', inKnockRoom)

/** A template has no body. */
const template =
  (ask: (world: FederationWorld, by: Peer) => Promise<PeerAsked>) =>
  async (world: FederationWorld, by: Peer): Promise<PeerAsked> => {
    const { path, query } = await ask(world, by)
    return { path: path!, query: query! }
  }

async function invite(world: FederationWorld, by: Peer): Promise<JsonObject & { eventId: string }> {
  const content = { membership: 'invite' }
  const draft = { type: 'm.room.member', sender: by.userId, stateKey: `@bob:${OURS}`, content }
  const { eventId, json } = await makePeerEvent(world, by, world.roomId, draft)
  return { eventId, event: json, room_version: '11', invite_room_state: [] }
}

function thirdParty({ roomId, alice }: FederationWorld, { userId }: Peer): PeerAsked {
  const signed = { mxid: userId, token: 'unknown', signatures: {} }
  const content = { membership: 'invite', third_party_invite: { display_name: 'x', signed } }
  return {
    body: { type: 'm.room.member', room_id: roomId, sender: alice.userId, state_key: userId, content },
  }
}

/** Every operation between servers. https://spec.matrix.org/v1.19/server-server-api/ */
export const federationTable: Readonly<Record<string, PeerOperation>> = {
  getVersion: { door: 'none' },
  getWellKnown: { door: 'none', friend: '404 M_NOT_FOUND' },
  getServerKey: { door: 'none' },
  perspectivesKeyQuery: { door: 'none' },
  bulkPerspectivesKeyQuery: { door: 'none', ask: () => ({ body: { server_keys: {} } }) },
  exchangeOpenIdToken: {
    door: 'none',
    ask: () => ({ query: { access_token: 'made-up' } }),
    friend: '401 M_UNKNOWN_TOKEN',
  },
  onBindThirdPartyIdentifier: { door: 'none', ask: () => ({ body: { mxid: '@x:x.test', invites: [] } }) },

  // Event by event: there is a test of its own.
  sendTransaction: { door: 'server', ask: () => ({ body: { pdus: [], edus: [] } }) },
  queryProfile: { door: 'server', ask: ({ alice }) => ({ query: { user_id: alice.userId } }) },
  queryRoomDirectory: {
    door: 'server',
    ask: () => ({ query: { room_alias: `#none:${OURS}` } }),
    friend: '404 M_NOT_FOUND',
  },
  getPublicRoomsOverFederation: { door: 'server' },
  queryPublicRoomsOverFederation: { door: 'server', ask: () => ({ body: {} }) },
  getUserDevices: { door: 'server', ask: ({ alice }) => ({ path: { userId: alice.userId } }) },
  queryUserEncryptionKeys: {
    door: 'server',
    ask: ({ alice }) => ({ body: { device_keys: { [alice.userId]: [] } } }),
  },
  claimUserEncryptionKeys: {
    door: 'server',
    ask: ({ alice }) => ({
      body: { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519' } } },
    }),
  },
  getContentOverFederation: { door: 'server' },
  getContentThumbnailOverFederation: { door: 'server', ask: () => ({ query: { width: '1', height: '1' } }) },

  getEvent: { door: 'server', ...room },
  'getRoomState (federation)': {
    door: 'server',
    ask: ({ eventId }) => ({ query: { event_id: eventId } }),
    ...room,
  },
  getRoomStateIds: { door: 'server', ask: ({ eventId }) => ({ query: { event_id: eventId } }), ...room },
  getEventAuth: { door: 'server', ...room },
  backfillRoom: { door: 'server', ask: ({ eventId }) => ({ query: { v: eventId, limit: '10' } }), ...room },
  getMissingPreviousEvents: {
    door: 'server',
    ask: ({ eventId }) => ({ body: { earliest_events: [], latest_events: [eventId], limit: 10 } }),
    ...room,
  },
  'getEventByTimestamp (federation)': {
    door: 'server',
    ask: () => ({ query: { ts: '0', dir: 'f' } }),
    ...room,
  },
  // "The room is not known to the server or the requesting server is unable to peek/join it".
  'getSpaceHierarchy (federation)': { door: 'server', stranger: '404 M_NOT_FOUND', barred: refused },
  makeJoin: { door: 'server', ask: template(join), ...room },
  sendJoinV1: { door: 'server', ask: join, ...room },
  sendJoinV2: { door: 'server', ask: join, ...room },
  makeLeave: { door: 'server', ask: template(leave), ...room },
  sendLeaveV1: { door: 'server', ask: leave, isLast: true, ...room },
  sendLeaveV2: { door: 'server', ask: leaveToo, isLast: true, ...room },
  // Who knocks is not in the room; only the list keeps them out.
  makeKnock: { door: 'server', ask: template(knock), barred: refused },
  sendKnock: { door: 'server', ask: knock, barred: refused },
  // The body is of a room version whose invitations have no place here.
  sendInviteV1: {
    door: 'server',
    ask: async (world, by) => {
      const { eventId, event } = await invite(world, by)
      return { path: { eventId }, body: event as JsonObject }
    },
    friend: '400 M_INVALID_PARAM',
    barred: refused,
  },
  sendInviteV2: {
    door: 'server',
    ask: async (world, by) => {
      const { eventId, ...body } = await invite(world, by)
      return { path: { eventId }, body }
    },
    barred: refused,
  },
  // By its signature, and not by who brings it; of this address the room knows nothing.
  exchangeThirdPartyInvite: { door: 'server', ask: thirdParty, friend: refused, barred: refused },
}
