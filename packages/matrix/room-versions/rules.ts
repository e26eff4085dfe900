/**
 * What differs between room versions, as a table: each version is the one before it plus named differences.
 * Code asks for the rule, never for the number. https://spec.matrix.org/v1.19/rooms/
 */
export interface RoomVersionRules {
  readonly version: RoomVersion
  /** Whether the specification has it. Others are a proposal's, and rooms of them are made only when asked for by name. */
  readonly isSpecified: boolean
  /** `embedded`: the event carries its id (1, 2). `base64`, `base64url`: `$` + reference hash (3; 4 and later). */
  readonly eventId: 'embedded' | 'base64' | 'base64url'
  /** `prev_events` and `auth_events` are `[id, hashes]` pairs (1, 2) and not plain ids. */
  readonly referencePairs: boolean
  readonly stateResolution: 'v1' | 'v2' | 'v2.1'
  /** Redactions are authorised by the domain of the event ids (1, 2); later by anyone who may send, applied by power. */
  readonly redactionAuthorizedByDomain: boolean
  /** A signing key must have been valid at `origin_server_ts` (5 and later). */
  readonly keyValidityEnforced: boolean
  /** Integers in range, no floats, in everything signed (6 and later). */
  readonly strictCanonicalJson: boolean
  /** `m.room.aliases` has authorisation rules of its own and keeps `aliases` on redaction (up to 5). */
  readonly aliasesSpecial: boolean
  /** Changes of `notifications` in power levels are checked (6 and later). */
  readonly notificationLevelsChecked: boolean
  /** `knock` membership and join rule (7 and later). */
  readonly knocking: boolean
  /** `restricted` join rule (8 and later). */
  readonly restrictedJoins: boolean
  /** Redaction keeps `allow` of join rules (8 and later). */
  readonly redactionKeepsAllow: boolean
  /** Redaction keeps `join_authorised_via_users_server` (9 and later). */
  readonly redactionKeepsAuthorisedVia: boolean
  /** `knock_restricted` join rule (10 and later). */
  readonly knockRestricted: boolean
  /** Power levels must be integers, not strings that look like them (10 and later). */
  readonly integerPowerLevels: boolean
  /** Redaction algorithm of 11: keeps all of create, `redacts`, `invite` power, signed third-party invites; drops `origin`, `membership`, `prev_state`. */
  readonly redactionV11: boolean
  /** `redacts` stands in `content` (11 and later). */
  readonly redactsInContent: boolean
  /** The creator is the create event's sender, not `content.creator` (11 and later). */
  readonly creatorIsSender: boolean
  /** The room id is the create event's reference hash, and the create event is no auth event (12 and later). */
  readonly roomIdIsCreateHash: boolean
  /** Creators, with `additional_creators`, have power above every number (12 and later). */
  readonly privilegedCreators: boolean
  /**
   * State whose key is a user's id, or begins with one and `_`, is set by that user and by whoever has more power
   * (MSC3757); otherwise state under `@` by nobody but the user whose id is the whole key.
   */
  readonly ownedState: boolean
}

export type SpecifiedRoomVersion = '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '10' | '11' | '12'
export type RoomVersion = SpecifiedRoomVersion | 'org.matrix.msc3757.10' | 'org.matrix.msc3757.11'

const v1: RoomVersionRules = {
  version: '1',
  isSpecified: true,
  eventId: 'embedded',
  referencePairs: true,
  stateResolution: 'v1',
  redactionAuthorizedByDomain: true,
  keyValidityEnforced: false,
  strictCanonicalJson: false,
  aliasesSpecial: true,
  notificationLevelsChecked: false,
  knocking: false,
  restrictedJoins: false,
  redactionKeepsAllow: false,
  redactionKeepsAuthorisedVia: false,
  knockRestricted: false,
  integerPowerLevels: false,
  redactionV11: false,
  redactsInContent: false,
  creatorIsSender: false,
  roomIdIsCreateHash: false,
  privilegedCreators: false,
  ownedState: false,
}
const v2: RoomVersionRules = { ...v1, version: '2', stateResolution: 'v2' }
const v3: RoomVersionRules = {
  ...v2,
  version: '3',
  eventId: 'base64',
  referencePairs: false,
  redactionAuthorizedByDomain: false,
}
const v4: RoomVersionRules = { ...v3, version: '4', eventId: 'base64url' }
const v5: RoomVersionRules = { ...v4, version: '5', keyValidityEnforced: true }
const v6: RoomVersionRules = {
  ...v5,
  version: '6',
  strictCanonicalJson: true,
  aliasesSpecial: false,
  notificationLevelsChecked: true,
}
const v7: RoomVersionRules = { ...v6, version: '7', knocking: true }
const v8: RoomVersionRules = { ...v7, version: '8', restrictedJoins: true, redactionKeepsAllow: true }
const v9: RoomVersionRules = { ...v8, version: '9', redactionKeepsAuthorisedVia: true }
const v10: RoomVersionRules = { ...v9, version: '10', knockRestricted: true, integerPowerLevels: true }
const v11: RoomVersionRules = {
  ...v10,
  version: '11',
  redactionV11: true,
  redactsInContent: true,
  creatorIsSender: true,
}
const v12: RoomVersionRules = {
  ...v11,
  version: '12',
  stateResolution: 'v2.1',
  roomIdIsCreateHash: true,
  privilegedCreators: true,
}

/** https://github.com/matrix-org/matrix-spec-proposals/pull/3757 */
const owned = { isSpecified: false, ownedState: true }
const v10Owned: RoomVersionRules = { ...v10, ...owned, version: 'org.matrix.msc3757.10' }
const v11Owned: RoomVersionRules = { ...v11, ...owned, version: 'org.matrix.msc3757.11' }

const ROOM_VERSIONS: ReadonlyMap<string, RoomVersionRules> = new Map(
  [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v10Owned, v11Owned].map((rules) => [
    rules.version,
    rules,
  ]),
)

/** Every room version this code implements: those of the specification, oldest first, then those of proposals. */
export const SUPPORTED_ROOM_VERSIONS: readonly RoomVersion[] = [...ROOM_VERSIONS.values()].map(
  (rules) => rules.version,
)

/** Those of them that the specification has, oldest first. */
export const SPECIFIED_ROOM_VERSIONS = SUPPORTED_ROOM_VERSIONS.filter(isSpecified)

/** The version of new rooms unless the client asks for another. */
export const DEFAULT_ROOM_VERSION: SpecifiedRoomVersion = '12'

/** The rules of a room version, or undefined when we do not implement it. */
export function findRoomVersion(version: string): RoomVersionRules | undefined {
  return ROOM_VERSIONS.get(version)
}

function isSpecified(version: RoomVersion): version is SpecifiedRoomVersion {
  return ROOM_VERSIONS.get(version)!.isSpecified
}
