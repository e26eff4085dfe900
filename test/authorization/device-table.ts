import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { confirm, type Asked, type OperationTable } from './operation.ts'
import { BACKED_UP, BACKUP, DEHYDRATED, dehydratedBody, OTHER_DEVICE, type Owner } from './people.ts'

const missing = '404 M_NOT_FOUND'
const inVersion = ({ version }: Owner): Asked => ({ query: `version=${version}` })

const PUBLIC_KEY = 'A'.repeat(43)
const masterKey = (userId: string): JsonObject => ({
  user_id: userId,
  usage: ['master'],
  keys: { [`ed25519:${PUBLIC_KEY}`]: PUBLIC_KEY },
})

/** Devices, their keys, what they send each other, and key backup. A suspended account verifies and backs up. */
export const deviceTable: OperationTable = {
  getDevices: { door: 'user', stranger: 'own' },
  getDevice: { door: 'user', stranger: missing },
  updateDevice: {
    door: 'user',
    ask: () => ({ body: { display_name: 'not mine' } }),
    stranger: missing,
    suspended: 'may',
  },
  // The id is one among the devices of whoever asks: there it is none.
  deleteDevice: {
    door: 'user',
    ask: (_, by) => ({ body: confirm(by) }),
    spends: 'part',
    stranger: 'own',
    suspended: 'may',
  },
  deleteDevices: {
    door: 'user',
    ask: (_, by) => ({ body: { ...confirm(by), devices: [OTHER_DEVICE] } }),
    spends: 'part',
    stranger: 'own',
    suspended: 'may',
  },
  uploadKeys: { door: 'user', suspended: 'may' },
  queryKeys: {
    door: 'user',
    ask: ({ userId }) => ({ body: { device_keys: { [userId]: [] } } }),
    stranger: 'public',
    suspended: 'may',
  },
  claimKeys: {
    door: 'user',
    ask: ({ userId }) => ({ body: { one_time_keys: { [userId]: { [OTHER_DEVICE]: 'signed_curve25519' } } } }),
    stranger: 'public',
    suspended: 'may',
  },
  getKeysChanges: {
    door: 'user',
    ask: ({ since }) => ({ query: `from=${since}&to=${since}` }),
    stranger: 'own',
  },
  uploadCrossSigningKeys: {
    door: 'user',
    ask: (of) => ({ body: { master_key: masterKey(of.userId) } }),
    stranger: '400 M_BAD_JSON',
    suspended: 'may',
  },
  uploadCrossSigningSignatures: { door: 'user', suspended: 'may' },
  sendToDevice: { door: 'user', ask: () => ({ body: { messages: {} } }), suspended: 'may' },

  getDehydratedDevice: { door: 'user', stranger: missing },
  putDehydratedDevice: {
    door: 'user',
    ask: ({ userId }) => ({ body: dehydratedBody(userId, 'ANOTHER') }),
    spends: 'part',
    stranger: '400 M_BAD_JSON',
    suspended: 'may',
  },
  getDehydratedDeviceEvents: {
    door: 'user',
    ask: () => ({ path: { deviceId: DEHYDRATED } }),
    stranger: '403 M_FORBIDDEN',
  },
  postDehydratedDeviceEvents: {
    door: 'user',
    ask: () => ({ path: { deviceId: DEHYDRATED } }),
    stranger: '403 M_FORBIDDEN',
    suspended: 'may',
  },
  deleteDehydratedDevice: { door: 'user', spends: 'whole', stranger: missing, suspended: 'may' },

  postRoomKeysVersion: { door: 'user', ask: () => ({ body: BACKUP }), spends: 'whole', suspended: 'may' },
  getRoomKeysVersionCurrent: { door: 'user', stranger: missing },
  getRoomKeysVersion: { door: 'user', stranger: missing },
  putRoomKeysVersion: {
    door: 'user',
    ask: () => ({ body: BACKUP }),
    stranger: missing,
    suspended: 'may',
  },
  deleteRoomKeysVersion: { door: 'user', spends: 'whole', stranger: missing, suspended: 'may' },
  putRoomKeys: {
    door: 'user',
    ask: (of) => ({ ...inVersion(of), body: { rooms: { [of.roomId]: { sessions: { s: BACKED_UP } } } } }),
    stranger: missing,
    suspended: 'may',
  },
  putRoomKeysByRoomId: {
    door: 'user',
    ask: (of) => ({ ...inVersion(of), body: { sessions: { s: BACKED_UP } } }),
    stranger: missing,
    suspended: 'may',
  },
  putRoomKeyBySessionId: {
    door: 'user',
    ask: (of) => ({ ...inVersion(of), body: BACKED_UP }),
    stranger: missing,
    suspended: 'may',
  },
  getRoomKeys: { door: 'user', ask: inVersion, stranger: missing },
  getRoomKeysByRoomId: { door: 'user', ask: inVersion, stranger: missing },
  getRoomKeyBySessionId: { door: 'user', ask: inVersion, stranger: missing },
  deleteRoomKeyBySessionId: {
    door: 'user',
    ask: inVersion,
    spends: 'part',
    stranger: missing,
    suspended: 'may',
  },
  deleteRoomKeysByRoomId: {
    door: 'user',
    ask: inVersion,
    spends: 'part',
    stranger: missing,
    suspended: 'may',
  },
  deleteRoomKeys: { door: 'user', ask: inVersion, spends: 'part', stranger: missing, suspended: 'may' },
}
