import { after, before, describe } from 'node:test'
import { startTwoServers, type Side, type TwoServers } from './federation/two-servers.ts'
import { ensureSynapse } from '@causeway/testkit/synapse.ts'
import { tellOfMembership } from './federation/membership.ts'

const found = await ensureSynapse()
const skip = 'skip' in found && found.skip

describe('Causeway and Synapse', { skip }, () => {
  let world: TwoServers
  before(async () => {
    const started = await startTwoServers()
    if ('skip' in started) throw new Error(started.skip)
    world = started
  })
  after(() => world[Symbol.asyncDispose]())
  const hosted = (): [Side, Side] => [world.causeway, world.synapse]
  const visiting = (): [Side, Side] => [world.synapse, world.causeway]

  for (const [name, sides] of [
    ['rooms of Causeway, guests from Synapse', hosted],
    ['rooms of Synapse, guests from Causeway', visiting],
  ] as const) {
    describe(name, () => {
      tellOfMembership(sides)
    })
  }
})
