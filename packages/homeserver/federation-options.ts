import { BlockList } from 'node:net'
import { Type, type Static } from 'typebox'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { isServerKeyId } from '@causeway/matrix/ids/key-id.ts'
import { decodeBase64 } from '@causeway/matrix/signing/base64.ts'
import { addAddressRange } from './ops/address-range.ts'

const list = (description: string, standard: readonly string[] = []) =>
  Type.Array(Type.String(), { default: [...standard], description })

/** How this server meets others. */
export const federationOptions = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Whether this server speaks to other servers and lets them speak to it.',
    }),
    delegate: Type.Optional(
      Type.String({
        description:
          'Where other servers shall connect, as host or host:port: what /.well-known/matrix/server answers here. Needed when the server name is not the name under which this server is reached.',
      }),
    ),
    share_device_names: Type.Boolean({
      default: false,
      description:
        'Whether other servers are told the names of the devices of people here, such as "Phone of Alice". Their keys are told in any case: encryption needs them.',
    }),
    allowed_servers: list(
      'When not empty, only servers that match one of these names are spoken to; * and ? stand for any characters.',
    ),
    denied_servers: list('Servers that are not spoken to, by name; * and ? stand for any characters.'),
    key_servers: list(
      'Servers that are asked for the keys of a server that does not answer itself. What they say of others is believed.',
      ['matrix.org'],
    ),
    allow_private_addresses: list(
      'Private addresses that may be connected to all the same, as ranges such as 10.0.0.0/8. Without one, no server name can make this server connect into your own network.',
    ),
    ca_certificates: Type.Array(Type.String({ 'x-path': 'config' }), {
      default: [],
      description:
        'PEM files of certificate authorities that are trusted beside the well-known ones, for networks with one of their own.',
    }),
    unverified_servers: list(
      'Servers whose certificates are not checked, by name with * and ?. For tests only: whoever is on the way can read and change everything.',
    ),
  },
  { description: 'Other Matrix servers.' },
)

export type FederationConfig = Static<typeof federationOptions>

const oldSigningKey = Type.Object({
  key: Type.String({ description: 'The public half, unpadded base64.' }),
  expired_ts: Type.Integer({
    minimum: 0,
    description: 'When it was last used, in milliseconds since 1970.',
  }),
})

/** Keys of before, beside those that the key file keeps. */
export const oldSigningKeys = Type.Record(Type.String(), oldSigningKey, {
  default: {},
  description:
    'Keys with which this server signed once, by id such as ed25519:a_1, so that others can still verify what it signed. `causeway rotate-key` keeps its own; this is for keys of a server that had the name before.',
})

export type OldSigningKeys = Static<typeof oldSigningKeys>

interface Conflict {
  readonly path: readonly string[]
  readonly message: string
}

function findRangeConflicts(ranges: readonly string[]): Conflict[] {
  return ranges.flatMap((range, index) => {
    try {
      addAddressRange(new BlockList(), range)
      return []
    } catch {
      const path = ['federation', 'allow_private_addresses', String(index)]
      return [{ path, message: 'must be an IP address or a range such as 10.0.0.0/8' }]
    }
  })
}

/** What the schemas of single options cannot say. */
export function findFederationConflicts(federation: FederationConfig, oldKeys: OldSigningKeys): Conflict[] {
  const conflicts = findRangeConflicts(federation.allow_private_addresses)
  const { delegate } = federation
  if (delegate !== undefined && !isServerName(delegate)) {
    const message = 'must be a host name, with a port if need be, such as matrix.example.org:443'
    conflicts.push({ path: ['federation', 'delegate'], message })
  }
  for (const [index, name] of federation.key_servers.entries()) {
    if (isServerName(name)) continue
    const path = ['federation', 'key_servers', String(index)]
    conflicts.push({ path, message: 'must be a server name such as matrix.org' })
  }
  for (const [keyId, { key }] of Object.entries(oldKeys)) {
    if (!isServerKeyId(keyId))
      conflicts.push({ path: ['old_signing_keys', keyId], message: 'must be a key id such as ed25519:a_1' })
    else if (decodeBase64(key)?.length !== 32)
      conflicts.push({ path: ['old_signing_keys', keyId, 'key'], message: 'must be 32 bytes of base64' })
  }
  return conflicts
}
