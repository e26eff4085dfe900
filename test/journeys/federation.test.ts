import { after, before, describe } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { ensureSynapse } from '@causeway/testkit/synapse.ts'
import { tellOfConversation } from './federation/conversation.ts'
import { tellOfDoctor } from './federation/doctoring.ts'
import { tellOfEncryption } from './federation/encryption.ts'
import { tellOfHistory } from './federation/history.ts'
import { tellOfKnockTakenBack, tellOfMembership } from './federation/membership.ts'
import { tellOfParting } from './federation/parting.ts'
import {
  startTwoServers,
  type Side,
  type TwoServers,
  type TwoServersOptions,
} from './federation/two-servers.ts'

const synapse = await ensureSynapse()
const noSynapse = 'skip' in synapse && synapse.skip
const postgres = await sharedPostgres()

/** The two servers of a describe block, from before its first story until after its last. */
function useTwoServers(options: () => Promise<TwoServersOptions> = async () => ({})): () => TwoServers {
  let world: TwoServers | undefined
  before(async () => {
    const started = await startTwoServers(await options())
    if ('skip' in started) throw new Error(started.skip)
    world = started
  })
  after(() => world?.[Symbol.asyncDispose]())
  return () => world!
}

describe('Causeway and Synapse', { skip: noSynapse }, () => {
  const world = useTwoServers()
  describe('rooms of Causeway, guests from Synapse', () => {
    const sides = (): [Side, Side] => [world().causeway, world().synapse]
    tellOfMembership(sides)
    tellOfConversation(sides)
    tellOfEncryption(sides)
    tellOfHistory(sides)
    tellOfDoctor(world, sides)
    tellOfParting(world, sides, ['11', '12'])
  })
  describe('rooms of Synapse, guests from Causeway', () => {
    const sides = (): [Side, Side] => [world().synapse, world().causeway]
    tellOfMembership(sides)
    tellOfKnockTakenBack(sides)
    tellOfConversation(sides)
    tellOfEncryption(sides)
    tellOfHistory(sides)
    tellOfDoctor(world, sides)
    tellOfParting(world, sides, ['11', '12'])
  })
})

const noPostgres = 'skip' in postgres && postgres.skip
describe('Causeway on PostgreSQL and Synapse', { skip: noSynapse || noPostgres }, () => {
  const world = useTwoServers(async () => {
    if ('skip' in postgres) throw new Error(postgres.skip)
    return { databaseUrl: await postgres.createDatabase() }
  })
  tellOfParting(world, () => [world().synapse, world().causeway], ['12'])
})
