// https://spec.matrix.org/v1.19/client-server-api/#third-party-networks
import { Type } from 'typebox'
import type { IncomingMessage } from 'node:http'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint, RawJson } from '../http/endpoint.ts'
import { forEachQueryPair, givenTwice } from '../http/query.ts'
import { v3 } from './paths.ts'
import { roomAliasText, userIdText } from './schemas.ts'

const protocolParams = Type.Object({ protocol: Type.String({ minLength: 1, maxLength: 255 }) })

/** Parameters that say who asks, and not about what. */
const OF_REQUEST: ReadonlySet<string> = new Set([
  'access_token',
  'user_id',
  'device_id',
  'org.matrix.msc3202.device_id',
])
const MAX_FIELDS = 20
const MAX_LENGTH = 500

/** Every other parameter is a field of the network. In the order of their names, so that one question is one. */
function fieldsOf({ url = '' }: IncomingMessage): Record<string, string> {
  const fields = new Map<string, string>()
  const at = url.indexOf('?')
  forEachQueryPair(at === -1 ? '' : url.slice(at + 1), (name, value) => {
    if (OF_REQUEST.has(name)) return
    if (fields.has(name)) throw givenTwice(name)
    if (fields.size === MAX_FIELDS || name.length > MAX_LENGTH || value.length > MAX_LENGTH)
      throw invalidParam(`A lookup has at most ${MAX_FIELDS} fields of at most ${MAX_LENGTH} characters`)
    fields.set(name, value)
  })
  return Object.fromEntries([...fields].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export const getProtocols = defineEndpoint({
  operation: 'getProtocols',
  method: 'GET',
  ...v3('/thirdparty/protocols'),
  auth: 'user',
  rateLimit: 'read',
  run: (hs) => hs.thirdParty.protocols(),
})

export const getProtocolMetadata = defineEndpoint({
  operation: 'getProtocolMetadata',
  method: 'GET',
  ...v3('/thirdparty/protocol/:protocol'),
  auth: 'user',
  rateLimit: 'read',
  params: protocolParams,
  run: (hs, { params }) => hs.thirdParty.protocol(params.protocol),
})

export const queryLocationByProtocol = defineEndpoint({
  operation: 'queryLocationByProtocol',
  method: 'GET',
  ...v3('/thirdparty/location/:protocol'),
  auth: 'user',
  rateLimit: 'read',
  params: protocolParams,
  run: async (hs, { params: { protocol }, raw }) =>
    list(await hs.thirdParty.find({ about: 'location', protocol, fields: fieldsOf(raw) })),
})

export const queryUserByProtocol = defineEndpoint({
  operation: 'queryUserByProtocol',
  method: 'GET',
  ...v3('/thirdparty/user/:protocol'),
  auth: 'user',
  rateLimit: 'read',
  params: protocolParams,
  run: async (hs, { params: { protocol }, raw }) =>
    list(await hs.thirdParty.find({ about: 'user', protocol, fields: fieldsOf(raw) })),
})

export const queryLocationByAlias = defineEndpoint({
  operation: 'queryLocationByAlias',
  method: 'GET',
  ...v3('/thirdparty/location'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({ alias: roomAliasText }),
  run: async (hs, { query: { alias } }) => list(await hs.thirdParty.find({ about: 'location', alias })),
})

export const queryUserByID = defineEndpoint({
  operation: 'queryUserByID',
  method: 'GET',
  ...v3('/thirdparty/user'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({ userid: userIdText }),
  run: async (hs, { query: { userid: userId } }) => list(await hs.thirdParty.find({ about: 'user', userId })),
})

function list(found: readonly unknown[]): RawJson {
  return new RawJson(JSON.stringify(found))
}
