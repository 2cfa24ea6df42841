// Tooltips don't show on touch screens: the box last pointed at or tapped is named below
// the picture.
function show(event) {
  const box = event.target.closest('g');
  if (!box) return;
  document.querySelectorAll('.tree .on').forEach(other => other.classList.remove('on'));
  box.classList.add('on');
  document.getElementById('picked').textContent = box.querySelector('title').textContent;
}
for (const tree of document.querySelectorAll('.tree')) {
  for (const name of ['click', 'mouseover']) tree.addEventListener(name, show);
}
