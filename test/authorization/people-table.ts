import type { Asked, OperationTable } from './operation.ts'
import { PICTURE, PUSHER, RULE } from './people.ts'

const picture = (): Asked => ({ body: PICTURE })
const url = (): Asked => ({ query: `url=${encodeURIComponent('http://127.0.0.1:9/')}` })
const refused = '403 M_FORBIDDEN'

/** Media, directories, and what people set for themselves. */
export const peopleTable: OperationTable = {
  uploadContent: { door: 'user', ask: picture },
  createContent: { door: 'user' },
  uploadContentToMXC: {
    door: 'user',
    ask: ({ pendingMediaId }) => ({ ...picture(), path: { mediaId: pendingMediaId } }),
    stranger: refused,
  },
  // Whoever knows the id and has an account: https://spec.matrix.org/v1.19/client-server-api/#content-repository
  getContentAuthed: { door: 'user', stranger: 'public' },
  getContentOverrideNameAuthed: { door: 'user', stranger: 'public' },
  getContentThumbnailAuthed: { door: 'user', ask: () => ({ query: 'width=1&height=1' }), stranger: 'public' },
  getConfigAuthed: { door: 'user', stranger: 'public' },
  getConfig: { door: 'user', stranger: 'public' },
  // Frozen, as the specification recommends and this server is configured here: what was uploaded since media are for accounts is not there.
  getContent: { door: 'none', nobody: '404 M_NOT_FOUND' },
  getContentOverrideName: { door: 'none', nobody: '404 M_NOT_FOUND' },
  getContentThumbnail: {
    door: 'none',
    ask: () => ({ query: 'width=1&height=1' }),
    nobody: '404 M_NOT_FOUND',
  },
  getPublicMedia: { door: 'none', nobody: '404 M_NOT_FOUND' },
  getUrlPreviewAuthed: { door: 'user', ask: url, owner: refused },
  getUrlPreview: { door: 'user', ask: url, owner: refused },

  setRoomAlias: {
    door: 'user',
    ask: (of, by) => ({
      path: { roomAlias: `#more-${of.name}-${by.name}:test.example` },
      body: { room_id: of.roomId },
    }),
    stranger: refused,
  },
  getRoomIdByAlias: { door: 'none', nobody: '200' },
  deleteRoomAlias: { door: 'user', spends: 'part', stranger: refused },
  getLocalAliases: { door: 'user', stranger: refused },
  getRoomVisibilityOnDirectory: { door: 'none', nobody: '200' },
  setRoomVisibilityOnDirectory: {
    door: 'user',
    ask: () => ({ body: { visibility: 'private' } }),
    stranger: refused,
  },
  getPublicRooms: { door: 'none', nobody: '200' },
  queryPublicRooms: { door: 'user', stranger: 'own', suspended: 'may' },
  searchUserDirectory: {
    door: 'user',
    ask: ({ name }) => ({ body: { search_term: name } }),
    stranger: 'own',
    suspended: 'may',
  },
  getProtocols: { door: 'user', stranger: 'public' },
  getProtocolMetadata: { door: 'user', owner: '404 M_NOT_FOUND', stranger: '404 M_NOT_FOUND' },
  queryLocationByProtocol: { door: 'user', owner: '404 M_NOT_FOUND' },
  queryUserByProtocol: { door: 'user', owner: '404 M_NOT_FOUND' },
  queryLocationByAlias: {
    door: 'user',
    ask: ({ alias }) => ({ query: `alias=${encodeURIComponent(alias)}` }),
    owner: '404 M_NOT_FOUND',
  },
  queryUserByID: {
    door: 'user',
    ask: ({ userId }) => ({ query: `userid=${encodeURIComponent(userId)}` }),
    owner: '404 M_NOT_FOUND',
  },

  getAccountData: { door: 'user', stranger: refused },
  setAccountData: {
    door: 'user',
    ask: () => ({ body: { mine: 'now' } }),
    stranger: refused,
    suspended: 'may',
  },
  getAccountDataPerRoom: { door: 'user', stranger: refused },
  setAccountDataPerRoom: {
    door: 'user',
    ask: () => ({ body: { mine: 'now' } }),
    stranger: refused,
    suspended: 'may',
  },
  deleteAccountData: { door: 'user', spends: 'part', stranger: refused, suspended: 'may' },
  deleteAccountDataPerRoom: { door: 'user', spends: 'part', stranger: refused, suspended: 'may' },
  getRoomTags: { door: 'user', stranger: refused },
  setRoomTag: { door: 'user', ask: () => ({ body: { order: 0.1 } }), stranger: refused },
  deleteRoomTag: { door: 'user', stranger: refused },
  postReceipt: { door: 'user', stranger: refused, suspended: 'may' },
  setReadMarker: {
    door: 'user',
    ask: ({ eventId }) => ({ body: { 'm.fully_read': eventId, 'm.read': eventId } }),
    stranger: refused,
    suspended: 'may',
  },
  setTyping: { door: 'user', ask: () => ({ body: { typing: true, timeout: 1000 } }), stranger: refused },
  getPresence: { door: 'user', stranger: refused },
  setPresence: {
    door: 'user',
    ask: () => ({ body: { presence: 'online', status_msg: 'not me' } }),
    stranger: refused,
    suspended: 'may',
  },
  defineFilter: { door: 'user', stranger: refused, suspended: 'may' },
  getFilter: { door: 'user', stranger: refused },
  getPushRules: { door: 'user', stranger: 'own' },
  getPushRulesGlobal: { door: 'user', stranger: 'own' },
  getPushRule: { door: 'user', stranger: '404 M_NOT_FOUND' },
  setPushRule: { door: 'user', ask: () => ({ body: { actions: RULE.actions, pattern: 'x' } }) },
  deletePushRule: { door: 'user', spends: 'part', stranger: '404 M_NOT_FOUND' },
  isPushRuleEnabled: { door: 'user', stranger: '404 M_NOT_FOUND' },
  setPushRuleEnabled: {
    door: 'user',
    ask: () => ({ body: { enabled: false } }),
    stranger: '404 M_NOT_FOUND',
  },
  getPushRuleActions: { door: 'user', stranger: '404 M_NOT_FOUND' },
  setPushRuleActions: { door: 'user', ask: () => ({ body: { actions: [] } }), stranger: '404 M_NOT_FOUND' },
  getPushers: { door: 'user', stranger: 'own' },
  postPusher: { door: 'user', ask: () => ({ body: PUSHER }) },
  getNotifications: { door: 'user', stranger: 'own' },
}
