import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { AnyEndpoint, Session } from './endpoint.ts'

/** All that a locked account may do. https://spec.matrix.org/v1.19/client-server-api/#account-locking */
const WHILE_LOCKED: ReadonlySet<string> = new Set(['logout', 'logout_all'])

/**
 * What a suspended account may do beside reading: whatever is not named here is refused, new operations too.
 * https://spec.matrix.org/v1.19/client-server-api/#account-suspension
 */
const WHILE_SUSPENDED: ReadonlySet<string> = new Set([
  ...WHILE_LOCKED,
  // One more session, which is suspended as well.
  'generateLoginToken',
  'leaveRoom',
  'forgetRoom',
  // Own events only: the operation itself sees to that.
  'redactEvent',
  'deleteDevice',
  'deleteDevices',
  'updateDevice',
  'changePassword',
  'deactivateAccount',
  'defineFilter',
  'setReadMarker',
  'postReceipt',
  'setAccountData',
  'setAccountDataPerRoom',
  'deleteAccountData',
  'deleteAccountDataPerRoom',
  'setPresence',
  'searchUserDirectory',
  'queryPublicRooms',
  // Reads, by POST.
  'slidingSync',
  'search',
  // Verifying other devices, cross-signing, and the key backup.
  'uploadKeys',
  'queryKeys',
  'claimKeys',
  'uploadCrossSigningKeys',
  'uploadCrossSigningSignatures',
  'sendToDevice',
  'putDehydratedDevice',
  'deleteDehydratedDevice',
  'postDehydratedDeviceEvents',
  'postRoomKeysVersion',
  'putRoomKeysVersion',
  'deleteRoomKeysVersion',
  'putRoomKeys',
  'putRoomKeysByRoomId',
  'putRoomKeyBySessionId',
  'deleteRoomKeys',
  'deleteRoomKeysByRoomId',
  'deleteRoomKeyBySessionId',
])

/** The refusal of a locked account; its client keeps what it has. */
export function userLocked(): MatrixError {
  return new MatrixError(
    'M_USER_LOCKED',
    'This account has been locked; ask the administrators of this server',
    {
      extra: { soft_logout: true },
    },
  )
}

export function userSuspended(): MatrixError {
  return new MatrixError('M_USER_SUSPENDED', 'This account is suspended: you can read, but not do this')
}

/**
 * What guests may do: whatever is not named here is refused, new operations too. Beside what the specification lists, what
 * its clients cannot do without.
 * https://spec.matrix.org/v1.19/client-server-api/#guest-access
 */
const FOR_GUESTS: ReadonlySet<string> = new Set([
  // Reading.
  'getRoomState',
  'getRoomStateWithKey',
  'getEventContext',
  'getOneRoomEvent',
  'getRoomEvents',
  'getMembersByRoom',
  'getJoinedMembersByRoom',
  'getJoinedRooms',
  'roomInitialSync',
  'peekEvents',
  'sync',
  'slidingSync',
  'getRelatingEvents',
  'getRelatingEventsWithRelType',
  'getRelatingEventsWithRelTypeAndEventType',
  'getThreadRoots',
  'getEventByTimestamp',
  'getRoomSummary',
  'getSpaceHierarchy',
  'queryPublicRooms',
  'getUserProfile',
  'getProfileField',
  'getContentAuthed',
  'getContentOverrideNameAuthed',
  'getContentThumbnailAuthed',
  'getConfigAuthed',
  // Coming, going and saying something: the operations see to which rooms.
  'joinRoomById',
  'joinRoom',
  'leaveRoom',
  'forgetRoom',
  'sendMessage',
  'setRoomStateWithKey',
  'sendToDevice',
  // Their own account.
  'setProfileField',
  'getDevices',
  'getDevice',
  'updateDevice',
  'uploadKeys',
  'queryKeys',
  'claimKeys',
  'getKeysChanges',
  'getTokenOwner',
  'getCapabilities',
  'getVersions',
  'defineFilter',
  'getFilter',
  'getPushRules',
  'getPushRulesGlobal',
  'logout',
  'logout_all',
])

/**
 * The refusal of a guest, also where there are none: an account that came here with the mark of one is not to be taken for
 * a whole one. https://spec.matrix.org/v1.19/client-server-api/#guest-access
 */
export function guestsForbidden(message = 'This server has no guests; make an account'): MatrixError {
  return new MatrixError('M_GUEST_ACCESS_FORBIDDEN', message)
}

/** Throws M_GUEST_ACCESS_FORBIDDEN for what guests may not do. */
export function requireForGuests({ operation }: Pick<AnyEndpoint, 'operation'>): void {
  if (!FOR_GUESTS.has(operation)) throw guestsForbidden('Guests may not do this; make an account')
}

/** Throws M_USER_LOCKED or M_USER_SUSPENDED when an account of this standing may not use the endpoint. */
export function requireStanding(
  standing: NonNullable<Session['standing']>,
  { operation, method }: Pick<AnyEndpoint, 'operation' | 'method'>,
): void {
  if (standing === 'locked') {
    if (!WHILE_LOCKED.has(operation)) throw userLocked()
    return
  }
  if (method !== 'GET' && !WHILE_SUSPENDED.has(operation)) throw userSuspended()
}
