import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { ThirdPartyAddress } from '../addresses/third-party-address.ts'
import { IdentityFailed, type IdentityServers } from './identity-servers.ts'
import type { IdentityLogin } from './look-up-address.ts'

/** What an identity server keeps of an invitation, and puts into its mail. */
export interface InviteFacts {
  readonly room_id: string
  readonly sender: string
  readonly room_alias?: string
  readonly room_avatar_url?: string
  readonly room_join_rules?: string
  readonly room_name?: string
  readonly room_type?: string
  readonly sender_display_name?: string
  readonly sender_avatar_url?: string
}

/** An invitation that waits for somebody to show whose address it is. */
export interface StoredInvite {
  /** Names it: the state key of its event. */
  readonly token: string
  /** Of `m.room.third_party_invite`. */
  readonly content: JsonObject
}

const MAX_KEYS = 10
const MAX_NAME = 255
const MAX_URL = 2_000

function readKey(value: JsonValue): JsonObject | undefined {
  if (!isJsonObject(value)) return undefined
  const { public_key: key, key_validity_url: url } = value
  if (typeof key !== 'string' || typeof url !== 'string') return undefined
  // 32 bytes of either base64 alphabet: what nobody could have signed with makes an invitation that nobody can accept.
  if (!/^[\w+/-]{43}=?$/.test(key)) return undefined
  const isAddress = url.length <= MAX_URL && URL.canParse(url) && new URL(url).protocol === 'https:'
  return isAddress ? { public_key: key, key_validity_url: url } : undefined
}

function readKeys(server: string, value: JsonValue | undefined): [JsonObject, ...JsonObject[]] {
  const entries = Array.isArray(value) && value.length <= MAX_KEYS ? value : []
  const [first, ...others] = entries.map(readKey)
  if (first === undefined || others.includes(undefined))
    throw new IdentityFailed(`${server} names no usable keys for the invitation`)
  return [first, ...others.filter((key) => key !== undefined)]
}

/** What everybody in the room may see of an address. */
function veil(address: string): string {
  const [name = '', host = ''] = address.split('@')
  return `${name.slice(0, 1)}...@${host.slice(0, 1)}...`
}

/** Everybody in the room reads it: a name that holds the address itself is not taken over. */
function readName(value: JsonValue | undefined, { address }: ThirdPartyAddress): string {
  const isUsable =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= MAX_NAME &&
    !value.toLowerCase().includes(address)
  return isUsable ? value : veil(address)
}

/**
 * Hands an invitation to an identity server, which sends a mail. Its keys will sign whose address it turned out to be.
 * https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2store-invite
 * @throws as `IdentityServers.request`
 */
export async function storeInvite(
  identity: IdentityServers,
  { server, token: login }: IdentityLogin,
  address: ThirdPartyAddress,
  facts: InviteFacts,
  signal?: AbortSignal,
): Promise<StoredInvite> {
  const body: JsonObject = { ...address, ...facts }
  const answer = await identity.request(server, {
    method: 'POST',
    path: '/store-invite',
    token: login,
    body,
    signal,
  })
  const { token, public_keys: keys, display_name: name } = answer
  if (typeof token !== 'string' || !/^[0-9a-zA-Z.=_-]{1,255}$/.test(token))
    throw new IdentityFailed(`${server} answers without a token`)
  const publicKeys = readKeys(server, keys)
  return {
    token,
    content: {
      display_name: readName(name, address),
      // The first one once more, for servers that know no list.
      ...publicKeys[0],
      public_keys: publicKeys,
    },
  }
}
