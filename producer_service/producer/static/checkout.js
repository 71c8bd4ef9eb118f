// The checkout page: connects its parts.

import { byId } from "./element.js";
import { orderForm } from "./order_form.js";
import { randomOrders } from "./random_orders.js";
import { RecentOrders } from "./recent_orders.js";
import { ShopState } from "./shop_state.js";

const state = new ShopState(byId("recent-state"), byId("recent-word"));
const recent = new RecentOrders(byId("recent"), byId("recent-empty"), state);
orderForm(byId("order"), byId("result"), () => recent.poll.now());
randomOrders(byId("random"), () => recent.poll.now());
