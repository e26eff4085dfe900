import { Type } from 'typebox'
import { defineCommand } from '../command.ts'
import { loadSettings } from '../load-settings.ts'
import { configOption } from './config-option.ts'

export const command = defineCommand({
  usage: '',
  summary: 'Run the server until it is told to stop',
  input: Type.Object({ config: configOption }),
  run: async (terminal, input) => {
    const settings = loadSettings(terminal, input.config)
    // The whole server is loaded only now: help and mistakes in the configuration need none of it.
    const { runServer } = await import('../serve/run-server.ts')
    return await runServer(terminal, settings)
  },
})
