import { describe, it } from 'node:test'
import { ensureNodePackages } from '@causeway/testkit/node-packages.ts'
import { liveAsBot } from './bots/bot-journey.ts'
import { crossBridge } from './bots/bridge-journey.ts'
import { BOT_PACKAGES } from './bots/packages.ts'

const packages = await ensureNodePackages('bots', BOT_PACKAGES)
const skip = 'skip' in packages ? packages.skip : false
const folder = 'folder' in packages ? packages.folder : ''

describe('programs on libraries for bots and bridges', { skip }, () => {
  it('a bot on matrix-bot-sdk logs in, comes when invited, answers, reads the room, shows a picture, and goes on where it was', () =>
    liveAsBot(folder))

  it('a bridge on matrix-appservice-bridge makes a room that is asked for, carries both ways, and loses nothing when it is killed', () =>
    crossBridge(folder))
})
