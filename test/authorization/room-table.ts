import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Asked, OperationTable } from './operation.ts'
import { SECRET } from './people.ts'

const somebody = (): Asked => ({ body: { user_id: '@root:test.example' } })
const message: JsonObject = { msgtype: 'm.text', body: 'hello' }
const topic = (): Asked => ({ path: { eventType: 'm.room.topic' }, body: { topic: SECRET } })

/**
 * Rooms. Who was banned reads what was before, as one who left does
 * (https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility), and does nothing.
 */
export const roomTable: OperationTable = {
  createRoom: { door: 'user' },
  joinRoom: { door: 'user', stranger: '403 M_FORBIDDEN' },
  joinRoomById: { door: 'user', stranger: '403 M_FORBIDDEN' },
  inviteUser: { door: 'user', ask: somebody, stranger: '403 M_FORBIDDEN' },
  kick: { door: 'user', ask: somebody, stranger: '403 M_FORBIDDEN' },
  ban: { door: 'user', ask: somebody, stranger: '403 M_FORBIDDEN' },
  unban: { door: 'user', ask: somebody, stranger: '403 M_FORBIDDEN' },
  leaveRoom: { door: 'user', spends: 'whole', suspended: 'may', stranger: '403 M_FORBIDDEN' },
  // Leaves nothing behind in the room; who is in it has to leave first.
  forgetRoom: { door: 'user', spends: 'part', suspended: 'may', owner: '400 M_UNKNOWN', stranger: 'own' },
  knockRoom: { door: 'user', owner: '403 M_FORBIDDEN', stranger: '403 M_FORBIDDEN' },
  getJoinedRooms: { door: 'user', stranger: 'own' },
  sendMessage: { door: 'user', ask: () => ({ body: message }), stranger: '403 M_FORBIDDEN' },
  // Their own events only, of which there is a test of its own.
  redactEvent: { door: 'user', spends: 'part', suspended: 'may', stranger: '403 M_FORBIDDEN' },
  setRoomStateWithKey: { door: 'user', ask: topic, stranger: '403 M_FORBIDDEN' },
  scheduleDelayedEvent: {
    door: 'user',
    ask: () => ({ body: { delay_ms: 80_000_000, content: message } }),
    stranger: '403 M_FORBIDDEN',
  },
  listDelayedEvents: { door: 'user', stranger: 'own' },
  getDelayedEvent: { door: 'user', stranger: '404 M_NOT_FOUND' },
  // Whoever knows the id may: a service that watches over a call has no account. With a token it has to be the owner's.
  restartDelayedEvent: { door: 'optional', nobody: '200', stranger: '404 M_NOT_FOUND' },
  updateDelayedEvent: {
    door: 'optional',
    nobody: '200',
    ask: () => ({ body: { action: 'restart' } }),
    stranger: '404 M_NOT_FOUND',
  },
  sendDelayedEvent: { door: 'optional', nobody: '200', spends: 'part', stranger: '404 M_NOT_FOUND' },
  // It was sent by then: of those who come later, whoever may know is told so.
  cancelDelayedEvent: {
    door: 'optional',
    nobody: '409 M_NOT_FOUND',
    owner: '409 M_NOT_FOUND',
    spends: 'part',
    stranger: '404 M_NOT_FOUND',
  },
  getRoomState: { door: 'user', stranger: '403 M_FORBIDDEN', banned: '200' },
  // The topic was set when they were gone.
  getRoomStateWithKey: {
    door: 'user',
    ask: () => ({ path: { eventType: 'm.room.topic' } }),
    stranger: '403 M_FORBIDDEN',
    banned: '404 M_NOT_FOUND',
  },
  getMembersByRoom: { door: 'user', stranger: '403 M_FORBIDDEN', banned: '200' },
  getJoinedMembersByRoom: { door: 'user', stranger: '403 M_FORBIDDEN' },
  getRoomEvents: {
    door: 'user',
    ask: () => ({ query: 'dir=b&limit=100' }),
    stranger: '403 M_FORBIDDEN',
    banned: '200',
  },
  roomInitialSync: { door: 'user', stranger: '403 M_FORBIDDEN', banned: '200' },
  peekEvents: {
    door: 'user',
    ask: ({ roomId }) => ({ query: `room_id=${encodeURIComponent(roomId)}` }),
    stranger: '403 M_FORBIDDEN',
    banned: '200',
  },
  getOneRoomEvent: { door: 'user', stranger: '404 M_NOT_FOUND' },
  getEventContext: { door: 'user', stranger: '404 M_NOT_FOUND' },
  getEventByTimestamp: {
    door: 'user',
    ask: () => ({ query: 'ts=0&dir=f' }),
    stranger: '403 M_FORBIDDEN',
    banned: '200',
  },
  upgradeRoom: {
    door: 'user',
    spends: 'part',
    ask: () => ({ body: { new_version: '11' } }),
    stranger: '403 M_FORBIDDEN',
  },
  getSpaceHierarchy: { door: 'user', stranger: '403 M_FORBIDDEN' },
  getRoomSummary: {
    door: 'optional',
    differs: 'the OpenAPI names a scheme of servers there; "authentication is optional" by its text',
    stranger: '404 M_NOT_FOUND',
  },
  reportEvent: { door: 'user', stranger: '404 M_NOT_FOUND' },
  // "Clients could use it for rooms they are not in"; nothing is told of it.
  reportRoom: { door: 'user', stranger: 'own' },
  reportUser: { door: 'user', stranger: 'own' },
  sync: { door: 'user', ask: () => ({ query: 'timeout=0' }), stranger: 'own', banned: '200' },
  slidingSync: {
    door: 'user',
    ask: () => ({
      body: { lists: { all: { ranges: [[0, 20]], timeline_limit: 20, required_state: [['*', '*']] } } },
    }),
    stranger: 'own',
    banned: '200',
    suspended: 'may',
  },
  getRelatingEvents: { door: 'user', stranger: '404 M_NOT_FOUND' },
  getRelatingEventsWithRelType: { door: 'user', stranger: '404 M_NOT_FOUND' },
  getRelatingEventsWithRelTypeAndEventType: { door: 'user', stranger: '404 M_NOT_FOUND' },
  getThreadRoots: { door: 'user', stranger: '403 M_FORBIDDEN', banned: '200' },
  subscribeToThread: { door: 'user', stranger: '404 M_NOT_FOUND' },
  unsubscribeFromThread: { door: 'user', spends: 'part', stranger: '404 M_NOT_FOUND' },
  getThreadSubscription: { door: 'user', stranger: '404 M_NOT_FOUND' },
  listThreadSubscriptions: { door: 'user', ask: () => ({ query: 'dir=b' }), stranger: 'own' },
  search: {
    door: 'user',
    ask: () => ({ body: { search_categories: { room_events: { search_term: SECRET } } } }),
    stranger: 'own',
    // "See and receive messages".
    suspended: 'may',
  },
}
