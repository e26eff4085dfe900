import { Type } from 'typebox'
import { defineCommand } from '../command.ts'
import { loadSettings } from '../load-settings.ts'
import { configOption } from './config-option.ts'

export const command = defineCommand({
  usage: '',
  summary: 'Tell a restored backup that it is one, before the server starts on it',
  input: Type.Object({ config: configOption }),
  run: async (terminal, input) => {
    const { config } = loadSettings(terminal, input.config)
    const { renewEpoch } = await import('../doctor/renew-epoch.ts')
    await renewEpoch(config)
    terminal.out(
      'Clients with tokens of the lost time will be given everything anew. Start the server now.\n',
    )
    return 0
  },
})
