import { App } from './view/app.ts'

const app = new App()
document.body.append(app.element)
app.start()
