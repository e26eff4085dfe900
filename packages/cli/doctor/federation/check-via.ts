import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import { fail, ok, type Finding } from '../finding.ts'
import { adviseDelegation, planDelegation } from './delegation.ts'
import { openDoctorNetwork, readOwnDocument, type DoctorNetwork, type DoctorParts } from './probe.ts'

/** Only a document that was fetched within minutes lasts so long: ours are good for a day. */
const FRESH_MS = (24 * 60 - 10) * 60_000

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What the other server has to say of our keys, after it was made to fetch them anew. */
async function askNotary(
  via: ServerName,
  serverName: ServerName,
  minimumTs: number,
  network: DoctorNetwork,
): Promise<JsonObject[]> {
  const path = `/_matrix/key/v2/query/${encodeURIComponent(serverName)}?minimum_valid_until_ts=${minimumTs}`
  const { targets } = await network.discovery.find(via)
  let last: unknown
  for (const target of targets) {
    try {
      const list = (await network.getJson(target, path))['server_keys']
      return Array.isArray(list) ? (list as JsonObject[]) : []
    } catch (error) {
      last = error
    }
  }
  throw last
}

/**
 * Has another server fetch our keys, and looks whether it could: proof that we can be reached from there.
 * @param now the time, in milliseconds
 */
export async function checkVia(
  config: HomeserverConfig,
  via: string,
  now: number,
  parts: DoctorParts = {},
): Promise<Finding[]> {
  const other = parseServerName(via)
  if (other === undefined) return [fail(`Via: "${via}" is no server name`)]
  const serverName = config.server_name as ServerName
  const advice = adviseDelegation(planDelegation(config))
  using network = await openDoctorNetwork(config, parts)
  let answers: JsonObject[]
  try {
    answers = await askNotary(other, serverName, now + FRESH_MS, network)
  } catch (error) {
    return [fail(`Via: ${via} cannot be asked: ${describe(error)}`)]
  }
  const read = answers.map((one) => readOwnDocument(one, serverName, network.ownKeys))
  const documents = read.filter((one) => typeof one !== 'string')
  const newest = Math.max(...documents.map(({ validUntilTs }) => validUntilTs))
  if (newest >= now + FRESH_MS) return [ok(`Via: ${via} has just fetched the keys of this server`)]
  if (documents.length > 0) {
    const when = new Date(newest - 24 * 60 * 60_000).toISOString()
    return [
      fail(`Via: ${via} knows the keys of this server since ${when}, but cannot fetch them now`, advice),
    ]
  }
  const [reason] = read.filter((one) => typeof one === 'string')
  if (reason === undefined) return [fail(`Via: ${via} cannot reach this server`, advice)]
  return [fail(`Via: ${via} tells other keys of ${serverName}: ${reason}`, advice)]
}
